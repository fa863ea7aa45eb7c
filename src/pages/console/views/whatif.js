// What would happen if: a buyer that does not exist is routed on the live table, and nothing changes.

import { fill, h } from "../../shared/dom.js";
import { t } from "../../shared/i18n.js";
import { refusalText } from "../actions.js";
import { decisionElement } from "./decision.js";
import { pairs } from "./forms.js";
import { emptyState } from "./status.js";

const CONTEXT = ["product", "category", "order", "order_stage", "source", "language", "region"];

export function whatIfView(app) {
  const { store, session } = app;
  const sellers = store.sellersWith("routing.explain");
  const seller = h(
    "select.input",
    { id: "whatif-seller" },
    sellers.map((id) => h("option", { value: id }, store.seller(id)?.name ?? id)),
  );
  const buyer = h("input.input", { id: "whatif-buyer", maxlength: "128", autocomplete: "off" });
  const text = h("textarea.input", { id: "whatif-text", rows: "2", maxlength: "8000", dir: "auto" });
  const attrs = pairs("whatif.attrs");
  const context = pairs("whatif.context", CONTEXT);
  const answer = h(
    "div.whatif-answer",
    { "aria-live": "polite" },
    emptyState("whatif", t("whatif.none"), t("whatif.none_text")),
  );
  const button = h("button.button.primary", { type: "submit" }, t("whatif.do"));

  const submit = async (event) => {
    event.preventDefault();
    const params = { seller: seller.value, buyer: {} };
    if (buyer.value.trim()) params.buyer.id = buyer.value.trim();
    if (Object.keys(attrs.values()).length > 0) params.buyer.attrs = attrs.values();
    if (Object.keys(context.values()).length > 0) params.context = context.values();
    if (text.value.trim()) params.text = text.value.trim();
    button.disabled = true;
    try {
      const { decision } = await session.call("routing.explain", params);
      fill(answer, h("h2", {}, t("whatif.answer")), decisionElement(decision, app));
      // On a phone it stands below the question.
      answer.scrollIntoView({ block: "nearest" });
    } catch (error) {
      fill(answer, h("p.notice.bad", {}, refusalText(error, store)));
    }
    button.disabled = false;
  };

  const element = h(
    "section.page.whatif",
    { "aria-label": t("nav.whatif") },
    h("header.page-head", {}, h("h1", {}, t("whatif.title")), h("p.muted", {}, t("whatif.hint"))),
    h(
      "div.whatif-columns",
      {},
      h(
        "form.panel.whatif-form",
        { on: { submit } },
        h("label.field", { for: "whatif-seller" }, h("span", {}, t("details.seller")), seller),
        h("label.field", { for: "whatif-buyer" }, h("span", {}, t("whatif.buyer")), buyer),
        attrs.element,
        context.element,
        h("label.field", { for: "whatif-text" }, h("span", {}, t("whatif.text")), text),
        button,
      ),
      h("div.panel", {}, answer),
    ),
  );
  const end = store.on("identity", () => {
    const now = store.sellersWith("routing.explain");
    if (seller.children.length !== now.length)
      fill(
        seller,
        now.map((id) => h("option", { value: id }, store.seller(id)?.name ?? id)),
      );
  });
  return { element, dispose: end };
}

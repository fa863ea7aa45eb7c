// A conversation that is asked about: who, why, and how long there is to answer.

import { h, setText } from "../../shared/dom.js";
import { t } from "../../shared/i18n.js";
import { buyerName } from "../store.js";
import { avatar } from "./status.js";

export function offerCard(app, record) {
  const { store, actions } = app;
  const { conversation } = record;
  const seconds = h("strong.offer-seconds");
  const bar = h("span.offer-bar", { "aria-hidden": "true" });
  const total = Math.max(1, record.offerEnds - Date.now());
  const accept = h(
    "button.button.primary",
    { type: "button", on: { click: () => actions.accept(record) } },
    t("offer.accept"),
    h("kbd", {}, "a"),
  );
  const decline = h(
    "button.button",
    { type: "button", on: { click: () => actions.decline(record) } },
    t("offer.decline"),
    h("kbd", {}, "x"),
  );
  const name = buyerName(conversation, (id) => t("buyer.unnamed", { id: id.slice(-6) }));
  const details = [
    store.groupName(conversation.seller, conversation.group),
    ...Object.values(conversation.context ?? {}),
  ]
    .filter(Boolean)
    .slice(0, 3)
    .join(" · ");
  const card = h(
    "div.offer",
    { role: "group", "aria-label": t("offer.title", { name }) },
    h(
      "div.offer-top",
      {},
      avatar(conversation.buyer?.name, conversation.buyer?.id),
      h(
        "div.offer-who",
        {},
        h("strong", { dir: "auto" }, t("offer.title", { name })),
        h("small.muted", { dir: "auto" }, details),
      ),
      seconds,
    ),
    h("div.offer-actions", {}, accept, decline),
    bar,
  );
  card.tick = () => {
    const left = Math.max(0, record.offerEnds - Date.now());
    setText(seconds, t("seconds", { n: Math.ceil(left / 1000) }));
    bar.style.setProperty("transform", `scaleX(${Math.min(1, left / total)})`);
    card.classList.toggle("late", left < 6000);
  };
  card.update = () => {
    accept.disabled = decline.disabled = Boolean(record.answering);
    card.tick();
  };
  card.tick();
  return card;
}

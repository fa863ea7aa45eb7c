// Small forms: a card to send, the quick replies.

import { fill, h, setText, show } from "../../shared/dom.js";
import { openDialog } from "../../shared/dialog.js";
import { icon } from "../../shared/icons.js";
import { t } from "../../shared/i18n.js";
import { keepQuickReplies, quickReplies } from "../quick.js";

const FIELDS = {
  image: [
    ["url", true],
    ["name", false],
  ],
  file: [
    ["url", true],
    ["name", false],
  ],
  product: [
    ["id", true],
    ["title", false],
    ["price", false],
    ["url", false],
  ],
  order: [
    ["id", true],
    ["title", false],
    ["price", false],
    ["url", false],
  ],
};

/** Asks for the members of an image, file, product or order and hands the body on. */
export function openCardForm(type, send) {
  const inputs = FIELDS[type].map(([name, required]) => {
    const input = h("input.input", {
      id: `card-${name}`,
      type: name === "url" ? "url" : "text",
      required,
      maxlength: "2000",
      autocomplete: "off",
      placeholder: name === "url" ? "https://" : undefined,
      pattern: name === "url" ? "https://.+" : undefined,
      title: name === "url" ? t("card.https") : undefined,
    });
    return {
      name,
      input,
      element: h(
        "label.field",
        { for: `card-${name}` },
        h("span", {}, t(name === "title" ? "card.title_field" : `card.${name}`)),
        input,
      ),
    };
  });
  openDialog({
    title: t("card.title", { type: t(`body.${type}`) }),
    body: h(
      "div",
      {},
      inputs.map((one) => one.element),
    ),
    actions: [
      { label: t("dialog.cancel") },
      {
        label: t("composer.send"),
        tone: "primary",
        submits: true,
        run() {
          const body = { type };
          for (const { name, input } of inputs) if (input.value.trim()) body[name] = input.value.trim();
          send(body);
        },
      },
    ],
  });
  inputs[0].input.focus();
}

/** Edits the quick replies of this browser. */
export function openQuickEditor() {
  const rows = h("div.quick-rows");
  const problem = h("p.notice.bad", { role: "alert", hidden: true });
  const add = (reply = { name: "", text: "" }) => {
    const row = h(
      "div.quick-row",
      {},
      h("input.input", {
        value: reply.name,
        placeholder: t("quick.name"),
        "aria-label": t("quick.name"),
        maxlength: "40",
      }),
      h("textarea.input", {
        value: reply.text,
        placeholder: t("quick.text"),
        "aria-label": t("quick.text"),
        rows: "2",
        maxlength: "2000",
      }),
      h(
        "button.icon-button",
        { type: "button", "aria-label": t("quick.remove"), on: { click: () => row.remove() } },
        icon("close", 15),
      ),
    );
    rows.append(row);
    return row;
  };
  quickReplies().forEach(add);
  openDialog({
    title: t("quick.edit"),
    wide: true,
    body: h(
      "div",
      {},
      h("p.muted", {}, t("quick.hint")),
      problem,
      rows,
      h(
        "button.button.small",
        { type: "button", on: { click: () => add().querySelector("input").focus() } },
        icon("plus", 15),
        t("quick.add"),
      ),
    ),
    actions: [
      { label: t("dialog.cancel") },
      {
        label: t("dialog.save"),
        tone: "primary",
        submits: true,
        run() {
          const replies = [...rows.children]
            .map((row) => ({
              name: row.querySelector("input").value.trim(),
              text: row.querySelector("textarea").value.trim(),
            }))
            .filter((reply) => reply.name || reply.text);
          if (replies.some((reply) => !reply.name || !reply.text)) {
            setText(problem, t("quick.incomplete"));
            show(problem, true);
            return false;
          }
          keepQuickReplies(replies);
          return true;
        },
      },
    ],
  });
}

/** Rows of a name and a value, as a form: gives `{element, values()}`. */
export function pairs(label, suggestions = []) {
  const rows = h("div.pair-rows");
  const listId = `pairs-${label}`;
  const add = () => {
    const row = h(
      "div.pair-row",
      {},
      h("input.input", { list: listId, "aria-label": t("pairs.name"), placeholder: t("pairs.name"), maxlength: "40" }),
      h("input.input", { "aria-label": t("pairs.value"), placeholder: t("pairs.value"), maxlength: "256" }),
      h(
        "button.icon-button",
        { type: "button", "aria-label": t("pairs.remove"), on: { click: () => row.remove() } },
        icon("close", 15),
      ),
    );
    rows.append(row);
  };
  add();
  const element = h(
    "fieldset.pairs",
    {},
    h("legend", {}, t(label)),
    rows,
    fill(
      h("datalist", { id: listId }),
      suggestions.map((one) => h("option", { value: one })),
    ),
    h("button.link", { type: "button", on: { click: add } }, t("pairs.add")),
  );
  return {
    element,
    values() {
      const found = {};
      for (const row of rows.children) {
        const [name, value] = [...row.querySelectorAll("input")].map((input) => input.value.trim());
        if (name && value) found[name] = value;
      }
      return found;
    },
  };
}

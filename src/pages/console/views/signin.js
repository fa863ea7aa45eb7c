// The sign-in: a token, and why the last one was refused.

import { h } from "../../shared/dom.js";
import { t } from "../../shared/i18n.js";
import { preferences } from "../../shared/preferences.js";
import { refusalText } from "../actions.js";

export function signIn({ error, accept, redraw }) {
  const field = h("textarea.input.token-field", {
    id: "token",
    rows: "4",
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
    "aria-describedby": "token-hint token-error",
  });
  const submit = (event) => {
    event.preventDefault();
    const token = field.value.trim();
    if (token) accept(token);
    else field.focus();
  };
  field.addEventListener("keydown", (event) => event.key === "Enter" && submit(event));
  setTimeout(() => field.focus());
  return h(
    "main.sign-in",
    {},
    h("div.sign-in-corner", {}, preferences({ redraw })),
    h(
      "form.sign-in-card",
      { on: { submit } },
      h("img.brand-mark", { src: "/assets/shared/icon.svg", alt: "", width: "40", height: "40" }),
      h("h1", {}, t("signin.title")),
      h("p.muted", { id: "token-hint" }, t("signin.hint")),
      error &&
        h(
          "p.notice.bad",
          { id: "token-error", role: "alert" },
          error.kind === "unauthenticated" ? t("signin.refused") : refusalText(error),
        ),
      h("label.field", { for: "token" }, h("span", {}, t("signin.token")), field),
      h("button.button.primary.wide", { type: "submit" }, t("signin.do")),
      h("p.muted.small", {}, t("signin.where"), " ", h("code", {}, "fenliu token --role staff --sub ID")),
    ),
  );
}

// Theme and language switches.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { language, setLanguage, t } from "./i18n.js";
import { setTheme, theme } from "./settings.js";

export function preferences({ redraw }) {
  const themeButton = h("button.icon-button", { type: "button" });
  const label = () => {
    const next = theme() === "dark" ? "light" : "dark";
    fill(themeButton, icon(next === "dark" ? "moon" : "sun"));
    themeButton.setAttribute("aria-label", t(`theme.to_${next}`));
    themeButton.title = t(`theme.to_${next}`);
  };
  themeButton.addEventListener("click", () => {
    setTheme(theme() === "dark" ? "light" : "dark");
    label();
  });
  label();
  followSystem(themeButton, label);
  const other = language() === "zh" ? "en" : "zh";
  const languageButton = h(
    "button.icon-button.language",
    {
      type: "button",
      lang: other,
      title: t("language.switch"),
      "aria-label": other === "zh" ? "中文" : "EN – English",
      on: { click: () => (setLanguage(other), redraw()) },
    },
    other === "zh" ? "中" : "EN",
  );
  return h("div.preferences", {}, themeButton, languageButton);
}

const dark = matchMedia("(prefers-color-scheme: dark)");

/** The sign follows the system's colours for as long as it is on the page. */
function followSystem(button, label) {
  const changed = () => (button.isConnected ? label() : dark.removeEventListener("change", changed));
  dark.addEventListener("change", changed);
}

// The list of shortcuts.

import { h } from "../../shared/dom.js";
import { openDialog } from "../../shared/dialog.js";
import { t } from "../../shared/i18n.js";
import { SHORTCUTS } from "../shortcuts.js";

export function openHelp() {
  const rows = SHORTCUTS.map(([key, name]) => h("li", {}, h("span", {}, t(`shortcut.${name}`)), h("kbd", {}, key)));
  rows.push(h("li", {}, h("span", {}, t("shortcut.anywhere")), h("kbd", {}, "Alt ↑ ↓")));
  rows.push(h("li", {}, h("span", {}, t("shortcut.send")), h("kbd", {}, "Enter")));
  rows.push(h("li", {}, h("span", {}, t("shortcut.newline")), h("kbd", {}, "Shift Enter")));
  openDialog({ title: t("help.title"), body: h("ul.shortcut-list", {}, rows), wide: true });
}

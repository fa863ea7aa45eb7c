// The keyboard: single keys while nothing is being written, and a few with Alt that work everywhere.

import { openHelp } from "./views/help.js";

/** Key, what it does. The list that `?` shows is this one. */
export const SHORTCUTS = [
  ["j", "next"],
  ["k", "previous"],
  ["r", "reply"],
  ["n", "note"],
  ["/", "quick"],
  ["t", "transfer"],
  ["e", "close"],
  ["g", "take"],
  ["a", "accept"],
  ["x", "decline"],
  ["s", "status"],
  ["i", "panel"],
  ["f", "filter"],
  ["w", "why"],
  ["1", "chat"],
  ["2", "desk"],
  ["3", "whatif"],
  ["Esc", "escape"],
  ["?", "help"],
];

/** Listens until the function that it gives is called. Views put what they can do into `app.commands`. */
export function listenForShortcuts(app) {
  app.commands ??= {};
  app.commands.help = () => openHelp();
  app.commands.chat = () => app.go("chat");
  app.commands.desk = () => app.store.sellersWith("desk.view").length > 0 && app.go("desk");
  app.commands.whatif = () => app.store.sellersWith("routing.explain").length > 0 && app.go("whatif");
  const listener = (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey) return;
    if (document.querySelector("dialog[open], .menu")) return;
    const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp"))
      return run(event, event.key === "ArrowDown" ? "next" : "previous");
    if (event.key === "Escape") return run(event, "escape");
    if (writing || event.altKey) return;
    const shortcut = SHORTCUTS.find(([key]) => key === event.key);
    if (shortcut) run(event, shortcut[1]);
  };
  const run = (event, name) => {
    const command = app.commands[name];
    if (!command) return;
    event.preventDefault();
    command();
  };
  document.addEventListener("keydown", listener);
  return () => document.removeEventListener("keydown", listener);
}

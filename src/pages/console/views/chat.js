// Conversations: list, thread and the panel beside it.

import { h, setAttribute } from "../../shared/dom.js";
import { detailsPane } from "./details.js";
import { listPane } from "./list.js";
import { threadPane } from "./thread.js";
import { keepSetting, setting } from "../../shared/settings.js";

export function chatView(app) {
  const { store } = app;
  const list = listPane(app);
  const thread = threadPane(app);
  const details = detailsPane(app);
  const element = h("div.chat", {}, list.element, thread.element, details.element);
  const wide = matchMedia("(min-width: 1180px)");
  let panel = wide.matches && setting("panel", "on") === "on";

  const update = () => {
    setAttribute(element, "data-open", store.selected ? "thread" : "list");
    element.classList.toggle("with-panel", panel && Boolean(store.selected));
  };
  const togglePanel = () => {
    panel = !panel;
    if (wide.matches) keepSetting("panel", panel ? "on" : "off");
    update();
  };
  app.commands.panel = togglePanel;
  app.commands.escape = () => {
    if (panel && !wide.matches) togglePanel();
    else if (document.activeElement?.matches("textarea, input")) document.activeElement.blur();
    else if (store.selected) app.actions.show(null).then(() => list.focus());
  };
  // Beside the thread there is a place for the panel, over it there is none: it waits to be asked for again.
  const widened = () => {
    panel = wide.matches && setting("panel", "on") === "on";
    update();
  };
  wide.addEventListener("change", widened);
  const ends = [store.on("selected", update), () => wide.removeEventListener("change", widened)];
  update();
  return {
    element,
    dispose() {
      ends.forEach((end) => end());
      list.dispose();
      thread.dispose();
      details.dispose();
    },
  };
}

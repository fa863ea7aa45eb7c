// Dialogs, menus and passing messages. They hold what they are given and know nothing of chats.

import { fill, freshId, h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

/**
 * Opens a modal dialog. `body` is an element; `actions` are `{label, tone?, run}`, where `run` gives false to stay open.
 * Gives `{element, close}`.
 */
export function openDialog({ title, body, actions = [], wide = false, onClose }) {
  const heading = freshId("title");
  const element = h("dialog.dialog", { "aria-labelledby": heading, class: wide ? "wide" : undefined });
  const close = () => element.close();
  const submit = async (action, button) => {
    button.disabled = true;
    try {
      if ((await action.run?.()) !== false) close();
    } finally {
      button.disabled = false;
    }
  };
  const buttons = actions.map((action) => {
    const type = action.submits ? "submit" : "button";
    const button = h("button.button", { type, class: action.tone, autofocus: action.submits }, action.label);
    if (!action.submits) button.addEventListener("click", () => submit(action, button));
    return button;
  });
  const form = h(
    "form.dialog-form",
    {
      on: {
        // In a text of several lines too, where Enter alone begins another one.
        keydown(event) {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
        },
        submit(event) {
          event.preventDefault();
          const index = actions.findIndex((action) => action.submits);
          if (index >= 0 && !buttons[index].disabled) submit(actions[index], buttons[index]);
        },
      },
    },
    h(
      "header.dialog-head",
      {},
      h("h2", { id: heading }, title),
      h("button.icon-button", { type: "button", "aria-label": t("dialog.close"), on: { click: close } }, icon("close")),
    ),
    h("div.dialog-body", { tabindex: "-1", autofocus: buttons.length === 0 }, body),
    buttons.length > 0 && h("footer.dialog-foot", {}, buttons),
  );
  element.append(form);
  element.addEventListener("close", () => {
    element.remove();
    onClose?.();
  });
  element.addEventListener("pointerdown", (event) => event.target === element && close());
  document.body.append(element);
  element.showModal();
  return { element, close };
}

/** Asks before something that cannot be undone. */
export function confirmDialog({ title, text, label, tone = "primary" }) {
  return new Promise((resolve) => {
    let answer = false;
    openDialog({
      title,
      body: h("p", {}, text),
      actions: [{ label: t("dialog.cancel") }, { label, tone, submits: true, run: () => void (answer = true) }],
      onClose: () => resolve(answer),
    });
  });
}

let openMenuClose = null;

/**
 * Opens a menu at a button. `items` are `{label, hint?, icon?, tone?, checked?, run}`, null for a line.
 * Arrow keys move, Escape closes, focus goes back to the button.
 */
export function openMenu(anchor, items, { label, align = "start" } = {}) {
  openMenuClose?.();
  const menu = h("div.menu", { role: "menu", "aria-label": label ?? anchor.getAttribute("aria-label") });
  const close = (refocus = true) => {
    openMenuClose = null;
    menu.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", close);
    if (refocus) anchor.focus();
  };
  const outside = (event) => {
    if (!menu.contains(event.target) && !anchor.contains(event.target)) close(false);
  };
  fill(
    menu,
    items.map((item) => (item ? menuItem(item, close) : h("div.menu-line", { role: "separator" }))),
  );
  menu.addEventListener("keydown", (event) => moveInMenu(event, menu, close));
  document.body.append(menu);
  place(menu, anchor, align);
  anchor.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  addEventListener("resize", close);
  openMenuClose = () => close(false);
  (menu.querySelector('[aria-checked="true"]') ?? menu.querySelector("button"))?.focus();
}

function menuItem(item, close) {
  const radio = item.checked !== undefined;
  return h(
    "button.menu-item",
    {
      type: "button",
      role: radio ? "menuitemradio" : "menuitem",
      "aria-checked": radio ? String(item.checked) : undefined,
      class: item.tone,
      disabled: item.disabled,
      on: {
        click() {
          close();
          item.run();
        },
      },
    },
    item.dot ? h("span.dot", { class: item.dot }) : item.icon && icon(item.icon),
    h("span.menu-label", {}, item.label, item.hint && h("small", {}, item.hint)),
    item.keys && h("kbd", {}, item.keys),
  );
}

function moveInMenu(event, menu, close) {
  const buttons = [...menu.querySelectorAll("button:not(:disabled)")];
  const index = buttons.indexOf(document.activeElement);
  const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (target !== undefined) {
    event.preventDefault();
    buttons[(target + buttons.length) % buttons.length]?.focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    event.stopPropagation();
    close();
  }
}

function place(menu, anchor, align) {
  const box = anchor.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const left = align === "end" ? box.right - size.width : box.left;
  const below = box.bottom + 6 + size.height <= innerHeight;
  menu.style.setProperty("left", `${Math.max(8, Math.min(left, innerWidth - size.width - 8))}px`);
  menu.style.setProperty("top", `${below ? box.bottom + 6 : Math.max(8, box.top - size.height - 6)}px`);
}

let toasts = null;

/** Says something in passing. `action`: `{label, run}`. */
export function toast(text, { tone = "plain", action, seconds = 6 } = {}) {
  if (!toasts?.isConnected) {
    toasts = h("div.toasts", { role: "status", "aria-live": "polite" });
    document.body.append(toasts);
  }
  const element = h("div.toast", { class: tone }, h("span", {}, text));
  const remove = () => element.remove();
  if (action) {
    const run = () => {
      remove();
      action.run();
    };
    element.append(h("button.link", { type: "button", on: { click: run } }, action.label));
  }
  element.append(
    h(
      "button.icon-button.small",
      { type: "button", "aria-label": t("dialog.close"), on: { click: remove } },
      icon("close", 14),
    ),
  );
  toasts.append(element);
  while (toasts.children.length > 4) toasts.firstChild.remove();
  setTimeout(remove, seconds * 1000);
}

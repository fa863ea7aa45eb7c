// The own status, what is held of how much, and the word that nothing arrives while one is away.

import { fill, h, setAttribute, setText, show } from "../../shared/dom.js";
import { openMenu } from "../../shared/dialog.js";
import { icon } from "../../shared/icons.js";
import { t } from "../../shared/i18n.js";

/** A flag or a family is one sign to its reader, however many letters it is made of. */
const GRAPHEMES = new Intl.Segmenter();

export const STATUSES = ["online", "away", "offline"];

export function statusBar(app) {
  const { store, actions } = app;
  const dot = h("span.dot");
  const name = h("span");
  const button = h(
    "button.status-button",
    { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" },
    dot,
    name,
    icon("down", 14),
  );
  const load = h("span.load");
  const meter = h("span.meter", { "aria-hidden": "true" }, h("span.meter-fill"));
  const hint = h(
    "div.away-hint",
    { hidden: true },
    h("span"),
    h(
      "button.button.primary.small",
      { type: "button", on: { click: () => actions.setStatus("online") } },
      t("status.go_online"),
    ),
  );
  const open = () =>
    openMenu(
      button,
      STATUSES.map((status) => ({
        label: t(`status.${status}`),
        hint: t(`status.${status}_hint`),
        dot: status,
        checked: store.status === status,
        run: () => actions.setStatus(status),
      })),
      { label: t("status.label") },
    );
  button.addEventListener("click", open);
  app.commands.status = open;

  const update = () => {
    dot.className = `dot ${store.status}`;
    setText(name, t(`status.${store.status}`));
    setAttribute(button, "aria-label", `${t("status.label")}: ${t(`status.${store.status}`)}`);
    const held = store.held();
    const capacity = store.capacity();
    setText(load, capacity ? `${held} / ${capacity}` : held);
    setAttribute(load, "title", capacity ? t("load.of", { held, capacity }) : t("load.held", { held }));
    show(meter, Boolean(capacity));
    meter.firstChild.style.setProperty("width", `${capacity ? Math.min(100, (held / capacity) * 100) : 0}%`);
    meter.classList.toggle("full", Boolean(capacity) && held >= capacity);
    const paused = [...store.paused.keys()].map((seller) => store.seller(seller)?.name ?? seller);
    show(hint, store.connection.state === "open" && (store.status !== "online" || paused.length > 0));
    const online = store.status === "online";
    setText(hint.firstChild, online ? t("status.paused_now", { sellers: paused.join(", ") }) : t(`status.${store.status}_now`));
  };
  const end = store.on(["presence", "list", "connection", "identity"], update);
  update();
  return {
    element: h("div.status-bar", {}, h("div.status-line", {}, button, h("span.load-group", {}, load, meter)), hint),
    dispose: end,
  };
}

/** A dot and a word. */
export function statusMark(status) {
  return h("span.status-mark", {}, h("span.dot", { class: status }), t(`status.${status}`));
}

export function avatar(name, id, size = "") {
  const first = GRAPHEMES.segment((name || "?").trim())[Symbol.iterator]().next().value;
  const initial = (first?.segment ?? "?").toUpperCase();
  let hash = 7;
  for (const character of id ?? "") hash = (hash * 31 + character.codePointAt(0)) % 360;
  return h(
    "span.avatar",
    { class: size, "aria-hidden": "true", style: { "--hue": String((hash * 137) % 360) } },
    initial,
  );
}

/** Changes an avatar that exists. */
export function setAvatar(element, name, id) {
  const fresh = avatar(name, id);
  element.style.setProperty("--hue", fresh.style.getPropertyValue("--hue"));
  setText(element, fresh.textContent);
}

export function emptyState(glyph, title, text, action) {
  return fill(
    h("div.empty"),
    h("span.empty-icon", {}, icon(glyph, 26)),
    h("strong", {}, title),
    text && h("p", {}, text),
    action,
  );
}

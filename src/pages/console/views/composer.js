// Where an answer or a note is written: drafts per conversation, quick replies by "/", cards from a form.

import { fill, freshId, h, setAttribute, setText, show } from "../../shared/dom.js";
import { openMenu } from "../../shared/dialog.js";
import { icon } from "../../shared/icons.js";
import { t } from "../../shared/i18n.js";
import { buyerName } from "../store.js";
import { filled, matching } from "../quick.js";
import { openCardForm, openQuickEditor } from "./forms.js";

// Whoever moves by keys keeps the keys; whoever clicks a conversation means to write.
let byPointer = false;
addEventListener("pointerdown", () => (byPointer = true), true);
addEventListener("keydown", () => (byPointer = false), true);

export function composer(app) {
  const { store, session } = app;
  const listId = freshId("quick");
  const area = h("textarea.composer-text", {
    rows: "1",
    dir: "auto",
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": listId,
  });
  const replies = h("div", { id: listId, role: "listbox", "aria-label": t("quick.title") });
  const noReply = h("div.quick-none.muted", {}, t("quick.none"));
  const list = h(
    "div.quick-list",
    { hidden: true },
    replies,
    noReply,
    h(
      "button.link.quick-edit",
      { type: "button", on: { click: () => (closeQuick(), openQuickEditor()) } },
      t("quick.edit"),
    ),
  );
  const replyTab = h("button.mode", { type: "button", on: { click: () => setMode("reply") } }, t("composer.reply"));
  const noteTab = h(
    "button.mode",
    { type: "button", on: { click: () => setMode("note") } },
    icon("note", 14),
    t("composer.note"),
  );
  const sendButton = h(
    "button.button.primary.small.send",
    { type: "button", on: { click: () => send() } },
    icon("send", 16),
    h("span"),
  );
  const attach = h(
    "button.icon-button",
    {
      type: "button",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-label": t("composer.attach"),
      title: t("composer.attach"),
    },
    icon("clip"),
  );
  const quickButton = h(
    "button.icon-button",
    { type: "button", "aria-label": t("quick.title"), title: `${t("quick.title")} (/)`, on: { click: () => quick() } },
    icon("bolt"),
  );
  const hint = h("span.composer-hint");
  const element = h(
    "div.composer",
    {},
    list,
    h(
      "div.composer-box",
      { on: { pointerdown: (event) => event.target === event.currentTarget && setTimeout(() => area.focus()) } },
      h("div.modes", { role: "group", "aria-label": t("composer.mode") }, replyTab, noteTab),
      area,
      h("div.composer-tools", {}, attach, quickButton, hint, sendButton),
    ),
  );
  let record = null;
  let able = { reply: false, note: false };
  let found = [];
  let index = 0;

  attach.addEventListener("click", () =>
    openMenu(
      attach,
      ["image", "file", "product", "order"].map((type) => ({
        label: t(`body.${type}`),
        icon: { image: "image", file: "file", product: "tag", order: "box" }[type],
        run: () =>
          openCardForm(type, (body) => session.send(record, body, record.mode === "note" ? "staff" : undefined)),
      })),
    ),
  );

  const setMode = (mode, focus = true) => {
    if (!record || !able[mode]) return;
    record.mode = mode;
    area.value = record.draft[mode];
    draw();
    grow();
    if (focus) area.focus();
  };

  const draw = () => {
    const note = record.mode === "note";
    element.classList.toggle("noting", note);
    setAttribute(replyTab, "aria-pressed", String(!note));
    setAttribute(noteTab, "aria-pressed", String(note));
    show(replyTab, able.reply);
    show(noteTab, able.note);
    show(attach, !note);
    show(quickButton, !note);
    const label = note
      ? t("composer.note_hint")
      : t("composer.reply_hint", {
          name: shortened(buyerName(record.conversation, (id) => t("buyer.unnamed", { id: id.slice(-6) }))),
        });
    setAttribute(area, "placeholder", label);
    setAttribute(area, "aria-label", label);
    setText(sendButton.lastChild, note ? t("composer.add_note") : t("composer.send"));
    sendButton.disabled = area.value.trim() === "";
    setAttribute(area, "maxlength", store.textMax);
    const near = area.value.length > store.textMax - Math.min(500, store.textMax / 4);
    setText(hint, near ? `${area.value.length} / ${store.textMax}` : note ? t("composer.note_who") : "");
  };

  const grow = () => {
    area.style.setProperty("height", "auto");
    area.style.setProperty("height", `${Math.min(area.scrollHeight, 180)}px`);
  };

  const send = () => {
    const text = area.value.trim();
    if (!record || !text || !able[record.mode]) return;
    session.send(record, { type: "text", text }, record.mode === "note" ? "staff" : undefined);
    area.value = "";
    store.draft(record, record.mode, "");
    if (record.mode === "reply") session.typing(record, false);
    else if (able.reply) record.mode = "reply";
    closeQuick();
    draw();
    grow();
    area.focus();
  };

  const quick = () => {
    if (!record || !able.reply) return;
    setMode("reply");
    if (!area.value.startsWith("/")) area.value = `/${area.value}`;
    input();
  };

  const input = () => {
    if (!record) return;
    store.draft(record, record.mode, area.value);
    if (record.mode === "reply" && !area.value.startsWith("/")) session.typing(record, area.value !== "");
    if (record.mode === "reply" && /^\/[^\n]{0,30}$/.test(area.value)) drawQuick(area.value.slice(1));
    else closeQuick();
    draw();
    grow();
  };

  const about = () => ({ buyer: record.conversation.buyer?.name ?? "", me: store.identity?.name ?? "" });
  const drawQuick = (query) => {
    found = matching(query);
    index = Math.min(index, Math.max(0, found.length - 1));
    fill(
      replies,
      found.map((reply, at) =>
        h(
          "div.quick-item",
          {
            role: "option",
            id: `${listId}-${at}`,
            "aria-selected": String(at === index),
            on: { pointerdown: (event) => (event.preventDefault(), choose(at)) },
          },
          h("strong", { dir: "auto" }, reply.name),
          h("span", { dir: "auto" }, filled(reply.text, about())),
        ),
      ),
    );
    show(replies, found.length > 0);
    show(noReply, found.length === 0);
    show(list, true);
    setAttribute(area, "aria-expanded", "true");
    setAttribute(area, "aria-activedescendant", found.length > 0 ? `${listId}-${index}` : null);
  };
  const closeQuick = () => {
    if (list.hidden) return;
    show(list, false);
    index = 0;
    setAttribute(area, "aria-expanded", "false");
    setAttribute(area, "aria-activedescendant", null);
  };
  const choose = (at) => {
    const reply = found[at];
    if (!reply) return;
    area.value = filled(reply.text, about());
    closeQuick();
    input();
    area.focus();
  };

  area.addEventListener("input", input);
  area.addEventListener("blur", () => setTimeout(() => !list.contains(document.activeElement) && closeQuick(), 120));
  area.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (!list.hidden) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by && found.length > 0) {
        event.preventDefault();
        index = (index + by + found.length) % found.length;
        drawQuick(area.value.slice(1));
        return;
      }
      if ((event.key === "Enter" || event.key === "Tab") && found.length > 0) {
        event.preventDefault();
        choose(index);
        return;
      }
      if (event.key === "Escape") {
        event.preventDefault();
        closeQuick();
        return;
      }
    }
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    }
  });

  return {
    element,
    update(next, abilities) {
      able = abilities;
      show(element, able.reply || able.note);
      const other = record !== next;
      record = next;
      if (!able[record.mode]) record.mode = able.reply ? "reply" : "note";
      else if (able.reply && record.mode === "note" && other && !record.draft.note) record.mode = "reply";
      if (other || area.value !== record.draft[record.mode]) {
        area.value = record.draft[record.mode];
        closeQuick();
        grow();
      }
      draw();
    },
    /** The place to write, after a conversation was clicked. */
    settle() {
      if (able.reply && byPointer && !document.activeElement?.closest?.(".rows, .tabs, dialog, .filter-box"))
        area.focus({ preventScroll: true });
    },
    focus(mode) {
      if (record && able[mode]) setMode(mode);
    },
    quick,
    dispose() {},
  };
}

/** A name that leaves room for the rest of the line. */
function shortened(name) {
  const letters = [...name];
  return letters.length > 24 ? `${letters.slice(0, 23).join("")}…` : name;
}

// One row of the list: made once per conversation, then only changed where something differs.

import { h, setAttribute, setText, show } from "../../shared/dom.js";
import { bodyLine } from "../../shared/body.js";
import { duration, shortTime, t } from "../../shared/i18n.js";
import { buyerName, isMine } from "../store.js";
import { stateName } from "../tabs.js";
import { avatar, setAvatar } from "./status.js";

export const ROW_HEIGHT = 68;

export function createRow(record, open) {
  const parts = {
    avatar: avatar("", record.conversation.buyer?.id),
    gone: h("span.presence-dot", { hidden: true }),
    name: h("span.row-name", { dir: "auto" }),
    timer: h("span.row-timer"),
    preview: h("span.row-preview", { dir: "auto" }),
    tag: h("span.tag", { hidden: true }),
    unread: h("span.badge", { hidden: true }),
  };
  const row = h(
    "div.row",
    { role: "option", id: `row-${record.id}`, on: { click: open } },
    h("span.row-avatar", {}, parts.avatar, parts.gone),
    h(
      "span.row-main",
      {},
      h("span.row-top", {}, parts.name, parts.timer),
      h("span.row-bottom", {}, parts.preview, parts.tag, parts.unread),
    ),
  );
  row.parts = parts;
  row.record = record;
  return row;
}

export function updateRow(row, { record, index }, total, app) {
  const { store } = app;
  const { conversation } = record;
  const { parts } = row;
  row.record = record;
  row.style.setProperty("transform", `translateY(${index * ROW_HEIGHT}px)`);
  setAttribute(row, "aria-selected", String(record.id === store.selected));
  setAttribute(row, "aria-setsize", total);
  setAttribute(row, "aria-posinset", index + 1);
  const name = buyerName(conversation, (id) => t("buyer.unnamed", { id: id.slice(-6) }));
  setAvatar(parts.avatar, conversation.buyer?.name || "#", conversation.buyer?.id);
  setText(parts.name, name);
  const mine = isMine(store, record);
  const unread = mine ? record.unread : 0;
  row.classList.toggle("unread", unread > 0);
  show(parts.unread, unread > 0);
  setText(parts.unread, unread > 99 ? "99+" : unread);
  setAttribute(parts.unread, "aria-label", unread > 0 ? t("row.unread", { n: unread }) : null);
  setPreview(parts.preview, record, app);
  const tag = rowTag(record, store, mine);
  show(parts.tag, Boolean(tag));
  setText(parts.tag, tag);
  show(parts.gone, record.buyer?.online === false && mine);
  setAttribute(parts.gone, "title", t("buyer.gone"));
  tickRow(row, app);
}

function setPreview(element, record, { store, session }) {
  const failed = session.outbox.of(record.id).some((entry) => entry.state === "failed");
  const typing = record.typing && record.typing.until > Date.now();
  const draft = record.draft.reply.trim();
  let text = "";
  let kind = "";
  if (failed) [text, kind] = [t("row.failed"), "bad"];
  else if (typing) [text, kind] = [t("typing"), "typing"];
  else if (draft && record.id !== store.selected) [text, kind] = [`${t("row.draft")} ${draft.slice(0, 120)}`, "draft"];
  else text = lastLine(record, store);
  setText(element, text);
  const wanted = `row-preview ${kind}`.trim();
  if (element.className !== wanted) element.className = wanted;
}

function lastLine(record, store) {
  const last = record.thread.lastSpoken();
  if (!last) return Object.values(record.conversation.context ?? {}).join(" · ");
  const line = bodyLine(last.body);
  if (last.visibility === "staff") return `${t("note.short")} ${line}`;
  if (last.from.kind === "agent")
    return `${last.from.id === store.me ? t("you") : (last.from.name ?? last.from.id)}: ${line}`;
  return line;
}

function rowTag(record, store, mine) {
  const { conversation } = record;
  if (record.watched) return t("row.watched");
  if (!mine && conversation.state === "active") return conversation.agent?.name ?? conversation.agent?.id;
  if (!mine && conversation.state === "queued") return store.groupName(conversation.seller, conversation.group);
  if (!mine) return stateName(conversation);
  if ((store.identity?.sellers?.length ?? 0) > 1) return store.seller(conversation.seller)?.name ?? conversation.seller;
  return conversation.priority > 0 ? t("row.priority", { n: conversation.priority }) : "";
}

/** The timer of a row; runs once a second for the rows in sight. */
export function tickRow(row, { store }) {
  const { record } = row;
  const { conversation } = record;
  const { timer } = row.parts;
  let text = "";
  let level = "";
  if (record.waitingSince) {
    text = duration((store.now() - Date.parse(record.waitingSince)) / 1000);
    level = store.urgency(record) ?? "waiting";
  } else if (
    conversation.state === "queued" ||
    conversation.state === "offered" ||
    conversation.state === "left_message"
  ) {
    text = duration((store.now() - Date.parse(conversation.started_at)) / 1000);
    level = "waiting";
  } else {
    const last = record.thread.messages[record.thread.messages.length - 1];
    text = shortTime(last?.at ?? conversation.closed_at ?? conversation.assigned_at ?? conversation.started_at);
  }
  setText(timer, text);
  const wanted = `row-timer ${level}`.trim();
  if (timer.className !== wanted) {
    timer.className = wanted;
    setAttribute(timer, "title", level ? t(`timer.${level}`) : null);
    row.dataset.level = level;
  }
}

// The messages of a conversation on the page: days, groups of one writer, what is on its way, who has read.

import { fill, h, keyed, setText, show } from "./dom.js";
import { bodyElement } from "./body.js";
import { icon } from "./icons.js";
import { clockTime, dayName, fullTime, t } from "./i18n.js";

const SAME_BREATH_MS = 180000;

/**
 * `own(message)` says which side it stands on, `name(message)` who wrote it ("" where the side says it), `older()` reads what was before,
 * `retry(id)` and `discard(id)` are for failed ones, `refusal(error)` says why.
 */
export function messageLog({ own, name, older, retry, discard, refusal, label }) {
  const rows = h("div.log-rows");
  const above = h("div.log-above");
  const typing = h(
    "div.typing",
    { hidden: true },
    h("span.typing-dots", { "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("span"),
  );
  const problem = h("p.notice", { hidden: true });
  const scroller = h(
    "div.log",
    { role: "log", "aria-label": label, "aria-live": "polite", tabindex: "0" },
    above,
    problem,
    rows,
    typing,
  );
  const jump = h(
    "button.jump",
    { type: "button", hidden: true, on: { click: () => toEnd(true) } },
    icon("down", 15),
    t("log.newer"),
  );
  const element = h("div.log-frame", {}, scroller, jump);
  let thread = null;
  let drawn = "";
  let atEnd = true;
  let lastSeq = 0;

  const toEnd = () => {
    scroller.scrollTop = scroller.scrollHeight;
    atEnd = true;
    show(jump, false);
  };
  const settled = new ResizeObserver(() => atEnd && toEnd());
  settled.observe(rows);
  settled.observe(scroller);
  scroller.addEventListener(
    "scroll",
    () => {
      atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 48;
      if (atEnd) show(jump, false);
      if (scroller.scrollTop < 120 && thread?.hasOlder && !thread.loadingOlder) older();
    },
    { passive: true },
  );

  const update = (view) => {
    const before = { height: scroller.scrollHeight, top: scroller.scrollTop, first: thread?.first };
    const other = thread !== view.thread;
    thread = view.thread;
    fillAbove(thread);
    const key = `${thread.version}:${view.peerRead}:${view.pending.map((entry) => entry.client_id + entry.state).join()}`;
    if (other || key !== drawn) {
      drawn = key;
      keyed(
        rows,
        items(thread, view, own),
        (item) => item.key,
        (item) => create(item),
        updateItem,
      );
    }
    show(problem, Boolean(view.problem));
    setText(problem, view.problem);
    show(typing, Boolean(view.typing));
    if (view.typing) setText(typing.lastChild, t("typing.name", { name: view.typing }));
    const grewAbove = !other && before.first && thread.first < before.first;
    if (grewAbove) scroller.scrollTop = before.top + scroller.scrollHeight - before.height;
    else if (atEnd || other) toEnd();
    else if (thread.last > lastSeq && lastSeq > 0) show(jump, true);
    lastSeq = thread.last;
  };

  const fillAbove = ({ hasOlder, loaded }) => {
    const text = hasOlder ? t("log.older") : loaded ? "" : t("loading");
    setText(above, text);
    show(above, Boolean(text));
  };

  const create = (item) => {
    if (item.kind === "day") return h("div.day", {}, h("span", {}, item.text));
    return bubble(item, { name, retry, discard, refusal });
  };

  return {
    element,
    update,
    reset() {
      thread = null;
      drawn = "";
      atEnd = true;
      lastSeq = 0;
      rows.replaceChildren();
      rows.keyedElements = undefined;
    },
    dispose: () => settled.disconnect(),
  };
}

/** What stands in the log, in order. */
function items(thread, view, own) {
  const list = [];
  let before = null;
  let day = "";
  const shown = new Set();
  const readUpTo = view.peerRead;
  const lastRead = [...thread.messages]
    .reverse()
    .find(
      (message) =>
        own(message) && message.from.kind !== "system" && message.visibility !== "staff" && message.seq <= readUpTo,
    );
  for (const message of thread.messages) {
    if (message.client_id) shown.add(message.client_id);
    const today = new Date(message.at).toDateString();
    if (today !== day) {
      list.push({ kind: "day", key: `day-${today}`, text: dayName(message.at) });
      day = today;
      before = null;
    }
    list.push({
      kind: "message",
      key: `m-${message.client_id ?? message.seq}`,
      message,
      mine: own(message),
      first: !sameBreath(before, message),
      read: message === lastRead,
      state: "sent",
    });
    before = message;
  }
  for (const entry of view.pending) {
    if (shown.has(entry.client_id)) continue;
    const message = { ...entry, from: { kind: view.pendingKind ?? "agent", pending: true } };
    list.push({
      kind: "message",
      key: `m-${entry.client_id}`,
      message,
      mine: true,
      first: before?.from.kind === "buyer" || before?.from.kind === "system" || !before,
      state: entry.state,
      error: entry.error,
    });
    before = message;
  }
  return list;
}

function sameBreath(before, message) {
  return (
    Boolean(before) &&
    before.from.kind === message.from.kind &&
    before.from.id === message.from.id &&
    before.visibility === message.visibility &&
    Date.parse(message.at) - Date.parse(before.at) < SAME_BREATH_MS
  );
}

function bubble(item, { name, retry, discard, refusal }) {
  const { message } = item;
  if (message.from.kind === "system") return systemLine(message);
  const note = message.visibility === "staff";
  const who = h("span.who", { dir: "auto" });
  const mark = h("span.mark");
  const head = h("div.message-head", {}, note && h("span.note-label", {}, icon("note", 13), t("note.label")), who);
  const problem = h("div.problem", { hidden: true });
  const element = h(
    "article.message",
    {
      class: [item.mine ? "own" : "theirs", note ? "note" : "", message.body?.type === "text" ? "" : "carded"]
        .filter(Boolean)
        .join(" "),
    },
    head,
    h(
      "div.bubble",
      {},
      bodyElement(message.body),
      h("span.meta", {}, h("time", { datetime: message.at, title: fullTime(message.at) }, clockTime(message.at)), mark),
    ),
    problem,
  );
  element.parts = { head, who, mark, problem };
  element.tools = { name, retry, discard, refusal };
  return element;
}

function systemLine(message) {
  const element = h("div.system-line", { dir: "auto" }, bodyElement(message.body));
  element.parts = null;
  return element;
}

function updateItem(element, item) {
  if (item.kind === "day" || !element.parts) return;
  const { head, who, mark, problem } = element.parts;
  const { name, retry, discard, refusal } = element.tools;
  element.classList.toggle("first", item.first);
  element.classList.toggle("pending", item.state === "sending");
  element.classList.toggle("failed", item.state === "failed");
  const note = item.message.visibility === "staff";
  setText(who, item.message.from.pending ? "" : name(item.message));
  show(head, note || (item.first && who.textContent !== ""));
  const state = stateOf(item, note);
  if (mark.dataset.state !== state) {
    mark.dataset.state = state;
    fill(mark, markOf(state));
  }
  const failed = item.state === "failed";
  show(problem, failed);
  if (failed && problem.childElementCount === 0) {
    fill(
      problem,
      icon("alert", 14),
      h("span", {}, refusal(item.error ?? {})),
      h("button.link", { type: "button", on: { click: () => retry(item.message.client_id) } }, t("message.retry")),
      h("button.link", { type: "button", on: { click: () => discard(item.message.client_id) } }, t("message.discard")),
    );
  } else if (!failed && problem.childElementCount > 0) problem.replaceChildren();
}

/** What stands beside the time: on the way, sent, read; nothing on what others wrote and on notes that have arrived. */
function stateOf(item, note) {
  if (item.state !== "sent") return item.state;
  if (!item.mine || note) return "";
  return item.read ? "read" : "sent";
}

function markOf(state) {
  if (state === "sending") return [h("span.mark-dot", { "aria-hidden": "true" }), h("span.sr", {}, t("mark.sending"))];
  if (state === "sent") return [icon("check", 13), h("span.sr", {}, t("mark.sent"))];
  if (state === "read") return [h("span.mark-read", {}, t("mark.read"))];
  return [];
}

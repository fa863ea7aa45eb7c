// The buyer's page: says where the conversation stands, shows it, takes what is written. Alone or in a widget's frame.

import { fill, h, setAttribute, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { roughly, setLanguage, t, word } from "../shared/i18n.js";
import { messageLog } from "../shared/log.js";
import { takeFragment, tokens } from "../shared/token.js";
import { preferences } from "../shared/preferences.js";
import { Chat } from "./chat.js";
import { holder } from "./frame.js";

const query = new URLSearchParams(location.search);
const place = query.has("seller") ? { seller: query.get("seller") } : { shop: query.get("shop") };
const name = place.seller ?? place.shop;
const key = `fenliu.buyer.token.${name}`;
const fragment = takeFragment();
let token = fragment.get("token") ?? tokens.read(key);
let visitor = false;
let title = null;
let draft = "";
let chat = null;
let page = null;
let unread = 0;
let opened = false;
if (fragment.has("token")) tokens.keep(key, token);

const frame = holder(fragment, (message) => {
  const takers = {
    token: () => useToken(message.token),
    visitor: () => useVisitor(),
    prefill: () => prefill(String(message.text ?? "")),
    context: () => chat && (chat.context = message.context),
    language: () => (setLanguage(message.language), draw()),
    title: () => ((title = String(message.title)), draw()),
    open: () => ((opened = true), (unread = 0), frame.tell("unread", { count: 0 }), page?.update(), page?.focus()),
    close: () => (opened = false),
  };
  takers[message.type]?.();
});

const credentials = {
  params() {
    const client = { name: frame ? "fenliu widget" : "fenliu buyer page", version: "1" };
    return token ? { token, client } : { visitor: { shop: place.shop }, client };
  },
  keep(fresh) {
    token = fresh;
    tokens.keep(key, fresh);
    try {
      localStorage.setItem(key, fresh);
    } catch {
      // The visitor is known for as long as the tab lives.
    }
  },
  /** A visitor's token that ran out is replaced by a new visitor; true to try again. */
  refused(error) {
    if (error.kind !== "unauthenticated" || !token) return false;
    tokens.forget(key);
    token = null;
    if (frame && !visitor) frame.tell("expiring");
    try {
      localStorage.removeItem(key);
    } catch {
      // There was none.
    }
    return visitor && Boolean(place.shop);
  },
  expiring(refresh) {
    this.refresh = refresh;
    frame?.tell("expiring");
  },
};

function useToken(fresh) {
  if (typeof fresh !== "string") return;
  const refresh = credentials.refresh;
  token = fresh;
  tokens.keep(key, fresh);
  if (refresh && chat?.connection.state === "open") refresh(fresh).catch(() => {});
  else begin();
}

function useVisitor() {
  visitor = true;
  try {
    token ??= localStorage.getItem(key);
  } catch {
    // A new visitor, then.
  }
  begin();
}

function begin() {
  chat ??= new Chat({
    place,
    credentials,
    changed: () => page?.update(),
    events: {
      message() {
        if (frame && !opened) frame.tell("unread", { count: (unread += 1) });
        page?.update();
      },
    },
  });
  if (["stopped", "refused"].includes(chat.connection.state)) chat.start();
  draw();
}

function prefill(text) {
  draft = text;
  page?.prefill(text);
}

function draw() {
  page?.dispose();
  page = buyerPage();
  fill(document.body, page.element);
  page.update();
}

function buyerPage() {
  const heading = h("h1", { dir: "auto" });
  const under = h("small", { role: "status" });
  const end = h(
    "button.icon-button",
    {
      type: "button",
      "aria-label": t("chat.end"),
      title: t("chat.end"),
      on: { click: () => chat?.end().catch(() => {}) },
    },
    icon("out"),
  );
  const close =
    frame &&
    h(
      "button.icon-button",
      {
        type: "button",
        "aria-label": t("chat.close"),
        title: t("chat.close"),
        on: { click: () => frame.tell("close") },
      },
      icon("close"),
    );
  const state = h("div.state", { role: "status", hidden: true });
  const line = h("div.line", { role: "status", hidden: true });
  const log = messageLog({
    own: (message) => message.from.kind === "buyer" || Boolean(message.from.pending),
    name: (message) => (message.from.kind === "buyer" ? t("you") : (message.from.name ?? t("chat.us"))),
    older: () => chat.older(),
    retry: (id) => chat.outbox.retry(id),
    discard: (id) => chat.outbox.discard(id),
    refusal: (error) => word("refusal", error.reason ?? error.kind ?? ""),
    label: t("thread.log"),
  });
  const rating = ratingForm();
  const area = h("textarea", {
    rows: "1",
    maxlength: "8000",
    dir: "auto",
    placeholder: t("chat.write"),
    "aria-label": t("chat.write"),
    value: draft,
  });
  const send = h("button.button.primary", { type: "submit", "aria-label": t("chat.send") }, icon("send"));
  const grow = () => {
    area.style.setProperty("height", "auto");
    area.style.setProperty("height", `${Math.min(area.scrollHeight, 140)}px`);
    send.disabled = !area.value.trim();
  };
  const submit = (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text || !chat) return;
    chat.write({ type: "text", text });
    draft = area.value = "";
    grow();
    area.focus();
  };
  area.addEventListener("input", () => {
    draft = area.value;
    chat?.typing(area.value !== "");
    grow();
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
  });
  const form = h("form.write", { on: { submit } }, area, send);
  const ticking = setInterval(() => page === own && own.update(), 1000);
  const own = {
    element: h(
      "main.buyer",
      {},
      h(
        "header.buyer-head",
        {},
        h("div", {}, heading, under),
        end,
        frame ? null : preferences({ redraw: draw }),
        close,
      ),
      line,
      state,
      log.element,
      rating.element,
      form,
    ),
    update() {
      const conversation = chat?.conversation;
      const connection = chat?.connection;
      setText(heading, title ?? t("chat.title"));
      document.title = title ?? t("chat.title");
      setText(
        under,
        conversation?.state === "active" && conversation.agent
          ? t("chat.with", { name: conversation.agent.name ?? conversation.agent.id })
          : t("chat.hint"),
      );
      const trouble = troubleText(connection);
      const stands = trouble ? "" : standText(conversation);
      show(line, Boolean(trouble && chat?.ready));
      setText(line, trouble);
      show(state, Boolean(stands || (trouble && !chat?.ready)));
      setText(state, stands || trouble);
      const over = conversation?.state === "closed";
      show(end, Boolean(conversation) && !over);
      show(rating.element, Boolean(over && conversation.assigned_at));
      rating.update();
      const blocked = !chat || connection.state === "refused";
      area.disabled = blocked;
      show(form, !blocked);
      if (!chat) return;
      log.update({
        thread: chat.thread,
        pending: chat.outbox.entries,
        pendingKind: "buyer",
        peerRead: chat.peerRead ?? 0,
        typing: chat.typingUntil > Date.now() ? (conversation?.agent?.name ?? t("chat.us")) : null,
        problem: null,
      });
      if (connection.state === "open" && !document.hidden && (!frame || opened)) chat.read();
    },
    prefill(text) {
      area.value = text;
      grow();
    },
    focus: () => area.focus(),
    dispose() {
      clearInterval(ticking);
      log.dispose();
    },
  };
  setTimeout(grow);
  return own;
}

function troubleText(connection) {
  if (!name) return t("chat.no_shop");
  if (!connection) return t("chat.waiting_token");
  if (connection.state === "refused") return t(token ? "chat.refused" : "chat.visitors_off");
  if (connection.state === "waiting")
    return t("connection.waiting", {
      seconds: Math.max(0, Math.ceil((connection.detail.retryAt - Date.now()) / 1000)),
    });
  return connection.state === "open" ? "" : t("connection.first");
}

function standText(conversation) {
  if (!conversation) return "";
  if (conversation.state === "left_message") return chat.left?.text || t("chat.left");
  if (conversation.state === "closed") return t("chat.closed");
  if (conversation.state !== "queued" && conversation.state !== "offered") return "";
  const { position, estimated_wait_s } = conversation.queue ?? {};
  return [
    position ? t("chat.queued", { n: position }) : t("chat.queued_plain"),
    estimated_wait_s ? t("chat.wait", { time: roughly(estimated_wait_s) }) : "",
  ].join(" ");
}

function ratingForm() {
  const thanks = h("p", { role: "status" }, t("chat.rated"));
  const comment = h("input.input", {
    maxlength: "500",
    placeholder: t("chat.comment"),
    "aria-label": t("chat.comment"),
  });
  let score = 0;
  const stars = [1, 2, 3, 4, 5].map((n) =>
    h(
      "button.star",
      { type: "button", "aria-label": t("chat.star", { n }), "aria-pressed": "false", on: { click: () => choose(n) } },
      icon("star", 24),
    ),
  );
  const button = h("button.button.primary", { type: "submit", disabled: true }, t("chat.rate_do"));
  const choose = (n) => {
    score = n;
    button.disabled = false;
    stars.forEach((star, index) => setAttribute(star, "aria-pressed", String(index < n)));
  };
  const submit = (event) => {
    event.preventDefault();
    if (score > 0) chat.rate(score, comment.value.trim()).catch(() => {});
  };
  const form = h(
    "form",
    { on: { submit } },
    h("strong", {}, t("chat.rate")),
    h("div.stars", { role: "group", "aria-label": t("chat.rate") }, stars),
    h("div.rate-line", {}, comment, button),
  );
  return {
    element: h("section.rating", { hidden: true }, form, thanks),
    update() {
      const rated = Boolean(chat?.rated || chat?.conversation?.rating);
      show(form, !rated);
      show(thanks, rated);
    },
  };
}

if (frame) {
  draw();
  frame.tell("ready");
} else if (!name) draw();
else if (token) begin();
else useVisitor();

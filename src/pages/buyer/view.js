// What a buyer sees: where the conversation stands, its messages, the place to write, and the rating at its end.

import { fill, h, setAttribute, setText, show } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { known, roughly, t } from "../shared/i18n.js";
import { messageLog } from "../shared/log.js";
import { preferences } from "../shared/preferences.js";

const HEIGHT_MAX = 140;
/** Characters of a text until the server has named its own limit. */
const TEXT_MAX = 8000;

/** `chat` is null until it is known who the buyer is; `close` puts the widget away, where there is one. */
export function chatPage({ chat, about, redraw, close }) {
  const head = chatHead({ chat, about, redraw, close });
  const line = h("div.line", { role: "status", hidden: true });
  const state = h("div.state", { role: "status", hidden: true });
  const greeting = h("div.greeting", { hidden: true }, h("span.greeting-icon", {}, icon("chat", 26)), h("p"));
  const log = messageLog({
    own: (message) => message.from.kind === "buyer" || Boolean(message.from.pending),
    name: ({ from }) => (from.kind === "buyer" ? "" : (from.name ?? t("chat.us"))),
    older: () => chat.older(),
    retry: (id) => chat.outbox.retry(id),
    discard: (id) => chat.outbox.discard(id),
    refusal: ({ reason, kind, data }) => (known(`refusal.${reason ?? kind}`) ? t(`refusal.${reason ?? kind}`, data) : t("refusal.internal", {})),
    label: t("chat.log"),
  });
  const rating = ratingForm(chat);
  const writing = writingForm(chat, about);
  const ticking = setInterval(() => update(), 1000);

  const update = () => {
    const conversation = chat?.conversation;
    const connection = chat?.connection;
    head.update();
    const trouble = troubleText(connection, about);
    const [sign, text] = trouble ? ["", ""] : standing(chat, conversation);
    const blocked = !chat || connection.state === "refused";
    show(line, Boolean(trouble && chat?.ready));
    setText(line, trouble);
    setState(state, sign, text);
    const empty = !conversation && !(chat?.outbox.entries.length > 0);
    show(greeting, empty);
    setText(greeting.lastChild, trouble && !chat?.ready ? trouble : t("chat.greeting"));
    const over = conversation?.state === "closed";
    show(rating.element, Boolean(over && conversation.assigned_at));
    rating.update();
    show(writing.element, !blocked);
    show(log.element, !empty);
    if (!chat) return;
    log.update({
      thread: chat.thread,
      pending: chat.outbox.entries,
      pendingKind: "buyer",
      peerRead: chat.peerRead ?? 0,
      typing: chat.typingUntil > Date.now() ? (conversation?.agent?.name ?? t("chat.us")) : null,
      problem: null,
    });
    if (connection.state === "open" && about.inSight()) chat.read();
  };

  return {
    element: h("main.buyer", {}, head.element, line, state, greeting, log.element, rating.element, writing.element),
    update,
    prefill: writing.prefill,
    focus: writing.focus,
    dispose() {
      clearInterval(ticking);
      log.dispose();
    },
  };
}

function chatHead({ chat, about, redraw, close }) {
  const heading = h("h1", { dir: "auto" });
  const under = h("small", { role: "status" });
  const face = h("span.shop-face", { "aria-hidden": "true" });
  const end = h(
    "button.head-button",
    { type: "button", hidden: true, "aria-label": t("chat.end"), on: { click: () => chat.close().catch(() => {}) } },
    t("chat.end_short"),
  );
  const away =
    close &&
    h(
      "button.icon-button",
      { type: "button", "aria-label": t("chat.close"), title: t("chat.close"), on: { click: close } },
      icon("close"),
    );
  return {
    element: h(
      "header.buyer-head",
      {},
      face,
      h("div.buyer-who", {}, heading, under),
      end,
      close ? null : preferences({ redraw }),
      away,
    ),
    update() {
      const conversation = chat?.conversation;
      const served = conversation?.state === "active" && conversation.agent;
      setText(heading, about.title);
      document.title = about.title;
      // Without a shop's name there is no letter for it.
      const nameless = about.title === t("chat.title");
      if (nameless && !face.firstElementChild) fill(face, icon("chat", 18));
      if (!nameless) setText(face, [...about.title.trim()][0]?.toUpperCase() ?? "");
      setText(under, served ? t("chat.with", { name: served.name ?? served.id }) : t("chat.hint"));
      show(end, Boolean(conversation) && conversation.state !== "closed");
    },
  };
}

function writingForm(chat, about) {
  const area = h("textarea", {
    rows: "1",
    maxlength: String(TEXT_MAX),
    dir: "auto",
    placeholder: t("chat.write"),
    "aria-label": t("chat.write"),
    value: about.draft,
  });
  const send = h("button.button.primary", { type: "submit", "aria-label": t("chat.send") }, icon("send"));
  const grow = () => {
    area.style.setProperty("height", "auto");
    area.style.setProperty("height", `${Math.min(area.scrollHeight + 2, HEIGHT_MAX)}px`);
    send.disabled = !area.value.trim();
    setAttribute(area, "maxlength", chat?.connection.limits.text || TEXT_MAX);
  };
  const submit = (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text || !chat) return;
    chat.write({ type: "text", text });
    about.draft = area.value = "";
    grow();
    area.focus();
  };
  area.addEventListener("input", () => {
    about.draft = area.value;
    chat?.typing(area.value !== "");
    grow();
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) submit(event);
  });
  setTimeout(grow);
  return {
    element: h("form.write", { on: { submit } }, area, send),
    prefill(text) {
      area.value = text;
      grow();
    },
    focus: () => area.focus(),
  };
}

/** What is wrong, or "". */
function troubleText(connection, { known, signedIn }) {
  if (!known) return t("chat.no_shop");
  if (!connection) return t("chat.waiting_token");
  const { state, detail } = connection;
  if (state === "refused") return t(signedIn() ? "chat.refused" : "chat.visitors_off");
  if (state !== "waiting") return state === "open" ? "" : t("connection.first");
  return t("connection.waiting", { seconds: Math.max(0, Math.ceil((detail.retryAt - Date.now()) / 1000)) });
}

/** An icon and words for where the conversation stands; nothing while somebody is there. */
function standing(chat, conversation) {
  switch (conversation?.state) {
    case "left_message":
      return ["inbox", chat.left?.text || t("chat.left")];
    case "closed":
      return ["check", t("chat.closed")];
    case "queued":
    case "offered": {
      const { position, estimated_wait_s: wait } = conversation.queue ?? {};
      const place = position ? t("chat.queued", { n: position }) : t("chat.queued_plain");
      return ["clock", wait ? `${place} ${t("chat.wait", { time: roughly(wait) })}` : place];
    }
    default:
      return ["", ""];
  }
}

function setState(element, sign, text) {
  show(element, Boolean(text));
  if (element.dataset.sign !== sign) {
    element.dataset.sign = sign;
    fill(element, sign && icon(sign, 17), h("span", { dir: "auto" }));
  }
  if (element.lastChild) setText(element.lastChild, text);
}

function ratingForm(chat) {
  const thanks = h("p.muted", { role: "status" }, t("chat.rated"));
  const comment = h("input.input", {
    maxlength: "500",
    placeholder: t("chat.comment"),
    "aria-label": t("chat.comment"),
  });
  let score = 0;
  const stars = [1, 2, 3, 4, 5].map((n) =>
    h(
      "button.star",
      {
        type: "button",
        "aria-label": t("chat.star", { n }),
        "aria-pressed": "false",
        on: { click: () => choose(n) },
      },
      icon("star", 26),
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

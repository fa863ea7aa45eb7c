// The conversation that is open: head with what can be done, messages, composer or why there is none.

import { fill, h, setText, show } from "../../shared/dom.js";
import { icon } from "../../shared/icons.js";
import { openMenu } from "../../shared/dialog.js";
import { roughly, t, word } from "../../shared/i18n.js";
import { messageLog } from "../../shared/log.js";
import { refusalText } from "../actions.js";
import { buyerName, isMine } from "../store.js";
import { composer } from "./composer.js";
import { openDecisions } from "./decision.js";
import { openAssign, openTransfer } from "./transfer.js";
import { avatar, emptyState, setAvatar } from "./status.js";

export function threadPane(app) {
  const { store, actions, session } = app;
  const face = avatar("", "");
  const name = h("h2", { dir: "auto" });
  const under = h("small.muted", { dir: "auto" });
  const buttons = h("div.head-actions");
  const back = h(
    "button.icon-button.only-phone",
    {
      type: "button",
      "aria-label": t("thread.back"),
      on: { click: () => (history.state?.thread ? history.back() : actions.show(null)) },
    },
    icon("back"),
  );
  const passed = h("div.passed-note", { hidden: true });
  const log = messageLog({
    own: (message) => message.from.kind !== "buyer",
    name: ({ from }) => (from.kind === "buyer" || from.id === store.me ? "" : (from.name ?? from.id ?? "")),
    older: () => session.older(current().record),
    retry: (id) => session.outbox.retry(id),
    discard: (id) => session.outbox.discard(id),
    refusal: (error) => refusalText(error, store),
    label: t("thread.log"),
  });
  const writer = composer(app);
  const foot = h("div.thread-foot", { hidden: true });
  const open = h(
    "div.thread-open",
    {},
    h("header.thread-head", {}, back, face, h("div.thread-who", {}, name, under), buttons),
    passed,
    log.element,
    foot,
    writer.element,
  );
  const none = h("div.thread-none", {}, emptyState("chat", t("thread.none"), t("thread.none_text")));
  const element = h("section.thread-pane", { "aria-label": t("thread.label") }, open, none);
  let end = null;
  let shown = null;

  const current = () => {
    const record = store.record(store.selected);
    return {
      record,
      shortName: record ? buyerName(record.conversation, (id) => t("buyer.unnamed", { id: id.slice(-6) })) : "",
    };
  };

  const update = () => {
    const { record, shortName } = current();
    show(open, Boolean(record));
    show(none, !record);
    if (!record) return;
    setAvatar(face, record.conversation.buyer?.name || "#", record.conversation.buyer?.id);
    setText(name, shortName);
    setText(under, subtitle(record, store));
    drawButtons(record);
    drawPassed(record);
    log.update({
      thread: record.thread,
      pending: session.outbox.of(record.id),
      peerRead: record.peerRead,
      typing: record.typing && record.typing.until > Date.now() ? shortName : null,
      problem: record.refusal && !record.thread.loaded ? refusalText(record.refusal, store) : null,
    });
    const canWrite = isMine(store, record) && store.may(record.conversation.seller, "conversation.send");
    const canNote =
      record.conversation.state !== "closed" &&
      store.may(record.conversation.seller, "conversation.send") &&
      record.thread.loaded;
    writer.update(record, { reply: canWrite, note: canNote });
    const text = footText(record, store, canWrite);
    show(foot, Boolean(text));
    fill(foot, text ? h("span", {}, text) : null);
  };

  let buttonsKey = "";
  const drawButtons = (record) => {
    const list = abilities(app, record);
    const key = record.id + list.map((one) => one.name + (one.label ?? "")).join();
    if (key === buttonsKey) return;
    buttonsKey = key;
    const first = list.filter((one) => one.first);
    const rest = list.filter((one) => !one.first);
    fill(
      buttons,
      first.map((one) =>
        h(
          "button.button.small",
          {
            type: "button",
            class: one.tone,
            title: one.keys ? `${one.label} (${one.keys})` : one.label,
            on: { click: one.run },
          },
          icon(one.icon, 16),
          h("span", {}, one.label),
        ),
      ),
      rest.length > 0 && moreButton(rest),
      h(
        "button.icon-button",
        {
          type: "button",
          "aria-label": t("thread.panel"),
          title: `${t("thread.panel")} (i)`,
          on: { click: () => app.commands.panel() },
        },
        icon("panel"),
      ),
    );
  };
  const moreButton = (items) => {
    const button = h(
      "button.icon-button",
      {
        type: "button",
        "aria-haspopup": "menu",
        "aria-expanded": "false",
        "aria-label": t("thread.more"),
        title: t("thread.more"),
      },
      icon("more"),
    );
    button.addEventListener("click", () => openMenu(button, items, { align: "end" }));
    return button;
  };

  const drawPassed = (record) => {
    const note = record.passedNote;
    show(passed, Boolean(note) && isMine(store, record) && !record.thread.hasNote(note));
    if (note) fill(passed, icon("note", 16), h("span", { dir: "auto" }, t("note.passed", { note })));
  };

  const select = () => {
    if (shown === store.selected) return update();
    shown = store.selected;
    end?.();
    end = shown ? store.on(`conversation:${shown}`, update) : null;
    buttonsKey = "";
    log.reset();
    update();
    if (shown && matchMedia("(min-width: 761px)").matches) writer.settle();
  };
  const on = (name) => () => {
    const { record } = current();
    const found = record && abilities(app, record).find((one) => one.name === name);
    found?.run();
  };
  app.commands.transfer = on("transfer");
  app.commands.close = on("close");
  app.commands.take = on("take");
  app.commands.why = on("why");
  app.commands.reply = () => writer.focus("reply");
  app.commands.note = () => writer.focus("note");
  app.commands.quick = () => writer.quick();
  const ends = [store.on(["selected", "presence", "connection", "desk", "identity"], select)];
  select();
  return {
    element,
    dispose() {
      end?.();
      ends.forEach((one) => one());
      log.dispose();
      writer.dispose();
    },
  };
}

function subtitle(record, store) {
  const { conversation } = record;
  const parts = [];
  const group = store.groupName(conversation.seller, conversation.group);
  if (conversation.state === "active")
    parts.push(
      isMine(store, record)
        ? t("with.me")
        : t("with.other", { name: conversation.agent?.name ?? conversation.agent?.id ?? "" }),
    );
  else parts.push(t(`state.${conversation.state}`));
  if (group) parts.push(group);
  if ((store.identity?.sellers?.length ?? 0) > 1)
    parts.push(store.seller(conversation.seller)?.name ?? conversation.seller);
  if (conversation.queue?.position) parts.push(t("queue.position", { n: conversation.queue.position }));
  if (conversation.queue?.estimated_wait_s) parts.push(roughly(conversation.queue.estimated_wait_s));
  if (record.buyer?.online === false) parts.push(t("buyer.gone"));
  return parts.join(" · ");
}

function footText(record, store, canWrite) {
  const { conversation } = record;
  if (canWrite) return "";
  if (conversation.state === "closed")
    return t("foot.closed", { by: word("by", record.closedBy ?? conversation.reason ?? "") });
  if (record.watched) return t("foot.watched", { name: conversation.agent?.name ?? conversation.agent?.id ?? "" });
  if (conversation.state === "active")
    return t("foot.other", { name: conversation.agent?.name ?? conversation.agent?.id ?? t("state.active") });
  return t(`foot.${conversation.state}`);
}

/** What may be done with a conversation, the likeliest first. */
function abilities(app, record) {
  const { store, actions } = app;
  const { conversation } = record;
  const may = (scope) => store.may(conversation.seller, scope);
  const mine = isMine(store, record);
  const waits = ["queued", "offered", "left_message"].includes(conversation.state);
  const list = [];
  if (record.offered) {
    list.push({
      name: "accept",
      label: t("offer.accept"),
      icon: "check",
      tone: "primary",
      first: true,
      keys: "a",
      run: () => actions.accept(record),
    });
  } else if (waits && may("conversation.claim")) {
    list.push({
      name: "take",
      label: t("take"),
      icon: "inbox",
      tone: "primary",
      first: true,
      keys: "g",
      run: () => actions.claim(record),
    });
  }
  if (
    (mine && may("conversation.transfer")) ||
    (!mine && conversation.state === "active" && may("conversation.assign"))
  ) {
    list.push({
      name: "transfer",
      label: t("transfer"),
      icon: "transfer",
      first: true,
      keys: "t",
      run: () => openTransfer(app, record),
    });
  }
  if (waits && may("conversation.assign"))
    list.push({ name: "assign", label: t("assign"), icon: "user", first: true, run: () => openAssign(app, record) });
  if (conversation.state === "active" && !mine && may("conversation.monitor")) {
    list.push({
      name: "watch",
      label: t(record.watched ? "unwatch" : "watch"),
      icon: "eye",
      first: true,
      run: () => actions.watch(record, !record.watched),
    });
  }
  if (conversation.state !== "closed" && ((mine && may("conversation.close")) || may("conversation.assign"))) {
    list.push({
      name: "close",
      label: t("close"),
      icon: "check",
      first: mine,
      keys: "e",
      run: () => actions.close(record),
    });
  }
  if (may("routing.explain"))
    list.push({ name: "why", label: t("why"), icon: "whatif", keys: "w", run: () => openDecisions(app, record) });
  return list;
}

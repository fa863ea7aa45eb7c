// What each event of the server does to the store. Events that are not here are not for this page.

import { isMine } from "./store.js";

/** How long a sign of typing lasts without another one. */
const TYPING_MS = 6000;

/** By name, what an event does: `(session, store, params)`. */
export const EVENTS = {
  "message.new": (session, store, message) => session.takeMessage(message),
  "message.read": (session, store, { conversation, by, seq }) => {
    const record = store.record(conversation);
    if (!record || idOf(by) === store.me || by === "agent") return;
    record.peerRead = Math.max(record.peerRead, seq);
    store.touch(`conversation:${conversation}`);
  },
  "message.typing": (session, store, { conversation, by, on }) => {
    const record = store.record(conversation);
    if (!record || idOf(by) === store.me) return;
    record.typing = on ? { until: Date.now() + TYPING_MS } : null;
    store.touch(`conversation:${conversation}`, "list");
    if (on) setTimeout(() => store.touch(`conversation:${conversation}`, "list"), TYPING_MS + 50);
  },
  "conversation.offered": (session, store, { conversation }) => {
    const record = store.keep(conversation);
    record.offered = true;
    store.changed(record);
    session.alerts.offered(record);
  },
  "conversation.offer_ended": (session, store, { conversation, why }) => {
    session.ended(conversation, (record) => {
      record.conversation.offer = undefined;
      if (why === "timeout" || why === "withdrawn") session.alerts.offerEnded(record, why);
    });
  },
  "conversation.assigned": (session, store, params) => session.assigned(params),
  "conversation.unassigned": (session, store, { conversation, cause, to }) => session.unassigned(conversation, cause, to),
  "conversation.overdue": (session, store, { conversation, waiting_s, level }) => {
    const record = store.record(conversation);
    if (record) {
      store.learn(record.conversation.group, level, waiting_s);
      record.overdue = level;
      store.changed(record);
      if (isMine(store, record)) session.alerts.overdue(record, level);
    }
    store.wentOver.set(conversation, { level, at: Date.now() });
    store.touch("desk");
  },
  "conversation.closed": (session, store, { conversation, by, reason }) => {
    const wasMine = store.record(conversation.id) && isMine(store, store.record(conversation.id));
    const record = store.keep(conversation);
    record.offered = false;
    record.closedBy = reason ?? by;
    record.overdue = null;
    store.changed(record);
    if (wasMine) session.alerts.closed(record, by);
    session.ended(conversation.id);
  },
  "conversation.reopened": (session, store, { conversation }) => {
    store.keep(conversation);
  },
  "conversation.queued": (session) => session.ended(""),
  "buyer.presence": (session, store, { conversation, online, since }) => {
    const record = store.record(conversation);
    if (!record) return;
    record.buyer = { online, since };
    store.touch(`conversation:${conversation}`, "list");
  },
  "presence.changed": (session, store, { sub_account, status, cause, seller }) => {
    if (sub_account === store.me && seller) {
      const paused = status === "online" || status === store.status ? null : status;
      if (store.pausedFor(seller, paused)) session.alerts.paused(store.seller(seller)?.name ?? seller, paused);
    } else if (sub_account === store.me) {
      store.status = status;
      store.touch("presence");
      session.alerts.status(status, cause);
    }
    for (const [of, desk] of store.desks) {
      if (seller && seller !== of) continue;
      const agent = desk.view?.agents.find((one) => one.sub_account === sub_account);
      if (agent) agent.status = status;
    }
    store.touch("desk");
  },
  "desk.changed": (session, store, view) => {
    const seller = view.seller ?? soleSeller(store, view);
    if (seller) session.takeDesk(seller, view);
  },
  "config.changed": (session) => {
    session.alerts.configChanged();
    session.renewSoon();
  },
  "session.expiring": (session, store, { expires_in_s }) => session.alerts.expiring(expires_in_s),
  "session.draining": (session) => session.alerts.draining(),
};

function idOf(by) {
  return typeof by === "object" ? by?.id : by;
}

/** A board that does not say whose it is: known by its groups. */
function soleSeller(store, view) {
  if (store.desks.size === 1) return [...store.desks.keys()][0];
  const groups = new Set(view.groups?.map((group) => group.group));
  for (const [seller, desk] of store.desks) {
    if (desk.view?.groups.every((group) => groups.has(group.group)) && desk.view.groups.length === groups.size)
      return seller;
  }
  return null;
}

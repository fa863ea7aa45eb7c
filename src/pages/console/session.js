// Between the server and the store: opens the session, takes events in, reads what is missing. It draws nothing.

import { Connection } from "../shared/rpc.js";
import { Outbox } from "../shared/outbox.js";
import { catchUp, readOlder } from "../shared/thread.js";
import { isMine } from "./store.js";

/** How long a sign of typing lasts without another one. */
const TYPING_MS = 6000;

export class Session {
  constructor({ store, token, alerts, refused }) {
    this.store = store;
    this.alerts = alerts;
    this.token = token;
    this.lists = new Set();
    this.connection = new Connection({
      openParams: () => ({ token: this.token, client: { name: "fenliu console", version: "1" } }),
      handlers: {
        state: (state, detail) => this.#state(state, detail, refused),
        opened: (result) => this.#opened(result),
        event: (method, params) => this.#event(method, params),
      },
    });
    this.outbox = new Outbox({
      key: "fenliu.console.outbox",
      send: (entry) => this.#send(entry),
      sent: (entry, result) => this.#sent(entry, result),
      changed: (id) => store.touch(`conversation:${id}`, "list"),
    });
    this.call = (method, params, options) => this.connection.call(method, params, options);
    this.readQuietly = (method, params) => this.connection.call(method, params, { background: true });
  }

  start() {
    this.connection.start();
  }

  stop() {
    this.connection.stop();
  }

  #state(state, detail, refused) {
    this.store.connection = { state, detail };
    this.store.touch("connection");
    if (state === "refused") refused(detail);
  }

  #opened(result) {
    const { store } = this;
    const before = new Set(store.mine().map((record) => record.id));
    store.identity = result.identity;
    store.status = result.status ?? store.status;
    if (result.server?.time) store.skew = Date.parse(result.server.time) - Date.now();
    const open = new Set();
    for (const conversation of result.conversations) {
      open.add(conversation.id);
      const record = store.keep(conversation);
      record.offered = conversation.state === "offered";
      this.#catchUp(record, conversation.last_seq);
    }
    for (const record of [...store.records.values()]) {
      record.offered &&= open.has(record.id);
      record.typing = null;
      if (before.has(record.id) && !open.has(record.id)) this.#lookAgain(record);
    }
    if (store.selected && !open.has(store.selected)) this.open(store.selected);
    for (const record of store.records.values()) if (record.watched) this.watch(record, true);
    for (const seller of store.sellersWith("desk.view")) this.subscribe(seller);
    this.outbox.flush();
    store.touch("identity", "presence", "list", "desk");
    this.#refreshLists();
  }

  /** What was ours and is not among the open ones: it was closed or moved while we were away. */
  async #lookAgain(record) {
    try {
      this.store.keep(await this.call("conversation.get", { conversation: record.id }));
    } catch (error) {
      if (error.kind !== "disconnected") this.store.forget(record.id);
    }
  }

  async subscribe(seller) {
    try {
      this.store.desks.set(seller, { view: null, ...this.store.desks.get(seller) });
      const view = await this.call("desk.view", { seller, subscribe: true });
      this.takeDesk(seller, view);
    } catch {
      // The board says that it has no figures; the next opening asks again.
    }
  }

  /** A desk's new figures. */
  takeDesk(seller, view) {
    const { store } = this;
    const desk = store.desks.get(seller) ?? {};
    desk.view = { ...desk.view, ...view };
    desk.at = Date.now();
    store.desks.set(seller, desk);
    store.touch("desk", "presence");
    this.#refreshLists();
  }

  /** A list that shows waiting or open conversations registers to be read again when they may have changed. */
  onListsChanged(refresh) {
    this.lists.add(refresh);
    return () => this.lists.delete(refresh);
  }

  #refreshLists() {
    for (const refresh of this.lists) refresh();
  }

  #event(method, params) {
    const taker = EVENTS[method];
    if (taker) taker(this, this.store, params);
  }

  /** Brings a record's thread up to what the server has. */
  async #catchUp(record, lastSeq) {
    if (record.thread.loaded && lastSeq !== undefined && lastSeq <= record.thread.last) return;
    const quiet = record.id !== this.store.selected;
    record.preview = "loading";
    await catchUp(record.thread, record.id, quiet ? this.readQuietly : this.call, lastSeq)
      .then(() => (record.preview = "ready"))
      .catch(() => (record.preview = "idle"))
      .finally(() => {
        this.store.changed(record);
        if (record.id === this.store.selected) this.markRead(record);
      });
  }

  /** Events do not say how much is unread: it is counted in what was read, or asked for where that is not all. */
  async #countUnread(record) {
    const { count, complete } = record.thread.unanswered();
    if (complete) record.unread = count;
    else await this.readQuietly("conversation.get", { conversation: record.id }).then((one) => this.store.keep(one), () => {});
    if (this.#looksAt(record)) this.markRead(record);
    else this.store.changed(record);
  }

  takeMessage(message) {
    const record = this.store.record(message.conversation);
    if (!record) return;
    const outcome = record.thread.take(message);
    if (outcome === "known") return;
    record.conversation.last_seq = Math.max(record.conversation.last_seq ?? 0, message.seq);
    if (outcome === "gap") this.#catchUp(record, message.seq);
    if (message.from.kind === "buyer") {
      record.typing = null;
      record.unread += 1;
    } else if (message.from.kind === "agent" && message.visibility !== "staff") {
      record.overdue = null;
    }
    this.store.changed(record);
    if (this.#looksAt(record)) this.markRead(record);
    if (message.from.kind !== "system") this.alerts.message(record, message);
  }

  #looksAt(record) {
    return record.id === this.store.selected && !document.hidden && document.hasFocus();
  }

  /** Opens a conversation that the store may not know yet and reads what is missing. */
  async open(id) {
    const { store } = this;
    try {
      const conversation = await this.call("conversation.get", { conversation: id });
      const record = store.keep(conversation);
      if (isMine(store, record)) this.#catchUp(record, conversation.last_seq);
      else await this.#readOther(record, conversation.last_seq);
      return record;
    } catch (error) {
      const record = store.record(id);
      if (record && error.kind !== "disconnected") {
        record.refusal = error;
        store.changed(record);
      }
      return record;
    }
  }

  async #readOther(record, lastSeq) {
    try {
      if (!record.thread.loaded || record.thread.last < (lastSeq ?? 0))
        await catchUp(record.thread, record.id, this.call, lastSeq);
      record.preview = "ready";
      record.refusal = null;
    } catch (error) {
      if (error.kind !== "disconnected") record.refusal = error;
    }
    this.store.changed(record);
  }

  async older(record) {
    try {
      await readOlder(record.thread, record.id, this.call);
    } catch {
      // Scrolling up asks again.
    }
    this.store.touch(`conversation:${record.id}`);
  }

  markRead(record) {
    const seq = record.thread.last;
    record.unread = 0;
    this.store.touch("list");
    if (!isMine(this.store, record) || seq <= record.ownRead || seq === 0) return;
    record.ownRead = seq;
    this.call("message.read", { conversation: record.id, seq }).catch(() => {
      record.ownRead = 0;
    });
  }

  typing(record, on) {
    const now = Date.now();
    if (on && record.typingSentAt && now - record.typingSentAt < 3000) return;
    if (!on && !record.typingSentAt) return;
    record.typingSentAt = on ? now : 0;
    this.call("message.typing", { conversation: record.id, on }, { background: true }).catch(() => {});
  }

  send(record, body, visibility) {
    this.outbox.add(record.id, body, visibility);
  }

  #send(entry) {
    const { conversation, client_id, body, visibility } = entry;
    const params = visibility ? { conversation, client_id, body, visibility } : { conversation, client_id, body };
    return this.call("message.send", params);
  }

  #sent(entry, result) {
    const record = this.store.record(entry.conversation);
    if (!record) return;
    const from = { kind: "agent", id: this.store.me, name: this.store.identity?.name };
    const message = {
      conversation: record.id,
      seq: result.seq,
      from,
      body: entry.body,
      visibility: entry.visibility,
      client_id: entry.client_id,
      at: result.at,
    };
    if (record.thread.takeSent(message) === "gap") this.#catchUp(record, result.seq);
    record.conversation.last_seq = Math.max(record.conversation.last_seq ?? 0, result.seq);
    if (entry.visibility !== "staff") record.overdue = null;
    this.store.changed(record);
  }

  async watch(record, on) {
    await this.call("conversation.watch", { conversation: record.id, on });
    record.watched = on;
    this.store.changed(record);
    if (on) this.#catchUp(record, record.conversation.last_seq);
  }

  ended(id, change) {
    const record = this.store.record(id);
    if (!record) return;
    record.offered = false;
    change?.(record);
    this.store.changed(record);
    this.#refreshLists();
  }

  assigned({ conversation, cause, note }) {
    const { store } = this;
    const known = store.record(conversation.id);
    const before = Boolean(known && isMine(store, known));
    const record = store.keep(conversation);
    record.offered = false;
    record.cause = cause;
    record.passedNote = note ?? null;
    record.overdue = null;
    if (isMine(store, record) && !before) {
      record.unread = Math.max(record.unread, 1);
      this.#catchUp(record, conversation.last_seq).then(() => this.#countUnread(record));
      this.alerts.assigned(record, cause);
    }
    this.#refreshLists();
  }
}

/** What each event does. Events that are not here are not for this page. */
const EVENTS = {
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
  "conversation.unassigned": (session, store, { conversation, cause, to }) => {
    session.ended(conversation, (record) => {
      record.conversation.agent = undefined;
      if (record.conversation.state === "active") record.conversation.state = "queued";
      record.movedTo = to ?? null;
      session.alerts.unassigned(record, cause, to);
    });
  },
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
    if (sub_account === store.me && !seller) {
      store.status = status;
      store.touch("presence");
      session.alerts.status(status, cause);
    }
    for (const desk of store.desks.values()) {
      const agent = desk.view?.agents.find((one) => one.sub_account === sub_account);
      if (agent) agent.status = status;
    }
    store.touch("desk");
  },
  "desk.changed": (session, store, view) => {
    const seller = view.seller ?? soleSeller(store, view);
    if (seller) session.takeDesk(seller, view);
  },
  "config.changed": (session) => session.alerts.configChanged(),
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

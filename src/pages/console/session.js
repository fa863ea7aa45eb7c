// Between the server and the store: opens the session, takes events in, reads what is missing. It draws nothing.

import { Connection } from "../shared/rpc.js";
import { Outbox, freshClientId } from "../shared/outbox.js";
import { catchUp, readOlder } from "../shared/thread.js";
import { EVENTS } from "./events.js";
import { isMine } from "./store.js";

/** Over how long the sessions of those whose rights have changed are opened anew. */
const RENEWAL_SPREAD_MS = 1500;

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

  /** What one may do is told at the opening: it is opened anew, spread over a moment where many are told at once. */
  renewSoon() {
    clearTimeout(this.renewing);
    this.renewing = setTimeout(() => this.connection.renew(), Math.random() * RENEWAL_SPREAD_MS);
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
    if (result.limits?.text > 0) store.textMax = result.limits.text;
    if (store.kept.isNewFor(result.identity.id)) this.outbox.clear();
    store.status = result.status ?? store.status;
    store.paused = new Map((result.paused ?? []).map(({ seller, status }) => [seller, status]));
    if (result.server?.time) store.skew = Date.parse(result.server.time) - Date.now();
    const open = new Set();
    for (const conversation of result.conversations) {
      open.add(conversation.id);
      const record = store.keep(conversation);
      record.offered = conversation.state === "offered";
      this.#catchUp(record, conversation.last_seq);
    }
    store.kept.only(open);
    for (const record of [...store.records.values()]) {
      record.offered &&= open.has(record.id);
      record.typing = null;
      if (before.has(record.id) && !open.has(record.id)) this.#lookAgain(record);
    }
    if (store.selected && !open.has(store.selected)) this.open(store.selected);
    for (const record of store.records.values()) if (record.watched) this.#watchAgain(record);
    for (const seller of store.sellersWith("desk.view")) this.subscribe(seller);
    this.outbox.flush();
    store.touch("identity", "presence", "list", "desk");
    this.#refreshLists();
  }

  /** What was ours and is not any more: it was closed or moved while we were away. It may have come back meanwhile. */
  async #lookAgain(record) {
    const { rev } = record.conversation;
    try {
      this.store.keep(await this.call("conversation.get", { conversation: record.id }));
    } catch (error) {
      if (error.kind !== "disconnected" && record.conversation.rev === rev) this.store.forget(record.id);
    }
  }

  /**
   * Somebody else has it now. The event names no revision: an answer that was on its way may still say that it is ours,
   * until the next one corrects it.
   */
  unassigned(id, cause, to) {
    this.ended(id, (record) => {
      record.conversation.agent = undefined;
      if (record.conversation.state === "active") record.conversation.state = "queued";
      record.movedTo = to ?? null;
      this.alerts.unassigned(record, cause, to);
    });
    this.readQuietly("conversation.get", { conversation: id }).then((now) => this.store.keep(now), () => {});
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
    if (record.thread.loaded && lastSeq !== undefined && lastSeq <= record.thread.last) {
      if (this.#looksAt(record)) this.markRead(record);
      return;
    }
    const quiet = record.id !== this.store.selected;
    record.preview = "loading";
    await catchUp(record.thread, record.id, quiet ? this.readQuietly : this.call, lastSeq)
      .then(() => (record.preview = "ready"))
      .catch(() => (record.preview = "idle"))
      .finally(() => {
        this.store.changed(record);
        if (this.#looksAt(record)) this.markRead(record);
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

  /** What was said with a transfer stands in the history as well: whoever has the conversation later reads it too. */
  leaveNote(record, text) {
    const note = { client_id: freshClientId(), body: { type: "text", text }, visibility: "staff" };
    this.call("message.send", { conversation: record.id, ...note }).catch(() => {
      // Whoever got it has been told; the history goes without.
    });
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
    const read = record.thread.takeSent(message) === "gap" && this.#catchUp(record, result.seq);
    record.conversation.last_seq = Math.max(record.conversation.last_seq ?? 0, result.seq);
    if (entry.visibility !== "staff") record.overdue = null;
    this.store.changed(record);
    return read;
  }

  async watch(record, on) {
    await this.call("conversation.watch", { conversation: record.id, on });
    record.watched = on;
    this.store.changed(record);
    // How far it has come by now only the server knows.
    if (on) this.open(record.id);
  }

  /** A new session follows nothing; whoever may not any more does not seem to. */
  #watchAgain(record) {
    this.watch(record, true).catch(({ kind }) => {
      if (kind === "disconnected") return;
      record.watched = false;
      this.store.changed(record);
    });
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
    store.cameBy(record, cause, note);
    record.overdue = null;
    if (isMine(store, record) && !before) {
      // What may not be read before may be now.
      record.refusal = null;
      record.earlier = undefined;
      record.unread = Math.max(record.unread, 1);
      this.#catchUp(record, conversation.last_seq).then(() => this.#countUnread(record));
      this.alerts.assigned(record, cause);
    }
    this.#refreshLists();
  }
}

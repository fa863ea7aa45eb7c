// The buyer's side of one conversation: its state, its messages, and what is on its way. It draws nothing.

import { batched } from "../shared/dom.js";
import { Outbox } from "../shared/outbox.js";
import { Connection, RpcError } from "../shared/rpc.js";
import { Thread, catchUp, readOlder } from "../shared/thread.js";

/** Where messages wait for a conversation that has not begun. */
const NEW = "new";
/** The events with which a conversation begins that this page has not begun itself. */
const BEGINS = new Set([
  "conversation.queued",
  "conversation.assigned",
  "conversation.left_message",
  "conversation.reopened",
  "message.new",
]);

export class Chat {
  constructor({ place, seller, credentials, changed, events }) {
    this.place = place;
    this.seller = seller;
    this.credentials = credentials;
    this.changed = batched(changed);
    this.events = events;
    this.thread = new Thread();
    this.conversation = null;
    this.context = null;
    this.turn = 0;
    this.connection = new Connection({
      openParams: () => credentials.params(),
      handlers: {
        state: (state, detail) => this.#state(state, detail),
        opened: (result) => this.#opened(result),
        event: (method, params) => this.#event(method, params),
      },
    });
    this.call = (method, params) => this.connection.call(method, params);
    this.outbox = new Outbox({
      key: `fenliu.buyer.outbox.${JSON.stringify(place)}`,
      send: (entry) => this.#send(entry),
      sent: (entry, result) => this.#sent(entry, result),
      changed: () => this.changed(),
    });
  }

  start() {
    this.connection.start();
  }

  /** Ends it: the page is somebody else's now, and what the one before had not sent is not theirs to send. */
  end() {
    this.connection.stop();
    this.outbox.clear();
  }

  #state(state, detail) {
    if (state === "refused" && this.credentials.refused(detail)) {
      setTimeout(() => this.connection.start());
      return;
    }
    this.changed();
  }

  async #opened(result) {
    this.me = result.identity.id;
    if (result.token) this.credentials.keep(result.token);
    const { turn } = this;
    let latest = result.conversations.find((one) => this.#isHere(one));
    if (!latest) {
      try {
        const page = await this.call("conversation.list", { limit: 20 });
        latest = page.conversations.find((one) => this.#isHere(one));
      } catch {
        // Without a list what is there stays; the chat begins empty where there is nothing.
        latest = this.conversation;
      }
    }
    // What this tab or another one has begun meanwhile is later than any that was found.
    const isLate = this.turn !== turn;
    if (latest && !isLate) await this.#take(latest);
    else if (!isLate) this.#beginEmpty();
    this.ready = true;
    this.outbox.flush();
    this.changed();
  }

  /** What was here is unknown to the server: what still waits begins a new conversation. */
  #beginEmpty() {
    if (this.conversation) {
      this.outbox.move(this.conversation.id, NEW);
      this.conversation = null;
      this.thread = new Thread();
    }
    this.thread.loaded = true;
  }

  /** A buyer of several shops sees only the one that this page is for. */
  #isHere(conversation) {
    return conversation.seller === this.seller;
  }

  async #take(conversation) {
    this.turn += 1;
    if (this.conversation?.id !== conversation.id) {
      this.thread = new Thread();
      this.rated = false;
      this.left = null;
    }
    this.#keep(conversation);
    if ((conversation.last_seq ?? 0) > this.thread.last || !this.thread.loaded)
      await this.#catchUp(conversation.last_seq);
  }

  #keep(conversation) {
    if (this.conversation?.id === conversation.id && (conversation.rev ?? 0) < (this.conversation.rev ?? 0)) return;
    this.conversation = conversation;
    this.changed();
  }

  #catchUp(lastSeq) {
    return catchUp(this.thread, this.conversation.id, this.call, lastSeq)
      .catch(() => {})
      .finally(() => this.changed());
  }

  older() {
    return readOlder(this.thread, this.conversation.id, this.call)
      .catch(() => {})
      .finally(() => this.changed());
  }

  write(body) {
    this.outbox.add(this.conversation?.id ?? NEW, body);
  }

  async #send(entry) {
    const { client_id, body } = entry;
    if (entry.conversation === NEW) return this.#begin(entry);
    try {
      return await this.call("message.send", { conversation: entry.conversation, client_id, body });
    } catch (error) {
      // Over for good: it goes on in the one that is open, or in a new one.
      const gone = error.kind === "not_found" || (error.kind === "conflict" && error.reason === "closed");
      if (!gone) throw error;
      this.outbox.move(entry.conversation, error.data.open ?? NEW);
      if (error.data.open) await this.#take(await this.call("conversation.get", { conversation: error.data.open }));
      setTimeout(() => this.outbox.flush());
      throw new RpcError({ message: "moved", data: { kind: "moved" } });
    }
  }

  async #begin({ client_id, body }) {
    const params = { ...this.place, message: { client_id, body } };
    if (this.context) params.context = this.context;
    this.beginning = true;
    const answer = this.call("conversation.start", params).finally(() => (this.beginning = false));
    const { conversation, seq } = await answer;
    this.turn += 1;
    if (this.conversation?.id !== conversation.id) {
      this.thread = new Thread();
      this.left = this.pendingLeft?.conversation === conversation.id ? this.pendingLeft : null;
      if (seq === 1) this.thread.loaded = true;
    }
    this.#keep(conversation);
    this.outbox.move(NEW, conversation.id);
    setTimeout(() => this.outbox.flush());
    return { seq, at: new Date().toISOString() };
  }

  #sent(entry, { seq, at }) {
    if (!this.conversation || seq === undefined) return;
    const message = {
      conversation: this.conversation.id,
      seq,
      from: { kind: "buyer", id: this.me },
      body: entry.body,
      client_id: entry.client_id,
      at,
    };
    const outcome = this.thread.takeSent(message);
    this.changed();
    // A greeting comes before the answer with which the conversation begins, when nobody knew yet whose it was.
    const last = Math.max(seq, this.conversation.last_seq ?? 0);
    return (outcome === "gap" || this.thread.last < last) && this.#catchUp(last);
  }

  typing(on) {
    const now = Date.now();
    if (this.conversation?.state !== "active" || (on && now - (this.typedAt ?? 0) < 3000)) return;
    this.typedAt = on ? now : 0;
    this.call("message.typing", { conversation: this.conversation.id, on }).catch(() => {});
  }

  read() {
    const seq = this.thread.last;
    if (
      !this.conversation ||
      this.conversation.state === "closed" ||
      seq === 0 ||
      seq <= (this.readUpTo?.[this.conversation.id] ?? 0)
    )
      return;
    this.readUpTo = { [this.conversation.id]: seq };
    this.call("message.read", { conversation: this.conversation.id, seq }).catch(({ kind }) => {
      if (kind === "disconnected") this.readUpTo = null;
    });
  }

  async rate(score, comment) {
    const params = { conversation: this.conversation.id, score };
    if (comment) params.comment = comment;
    await this.call("conversation.rate", params);
    this.rated = true;
    this.changed();
  }

  async close() {
    this.#keep(await this.call("conversation.close", { conversation: this.conversation.id }));
  }

  #event(method, params) {
    if (method === "session.expiring")
      return this.credentials.expiring?.((token) => this.call("session.refresh", { token }));
    const id = typeof params.conversation === "object" ? params.conversation?.id : params.conversation;
    if (method === "conversation.left_message") this.pendingLeft = params;
    if (id && id !== this.conversation?.id && BEGINS.has(method)) this.#follow(id);
    if (!this.conversation || id !== this.conversation.id) return;
    if (typeof params.conversation === "object") this.#keep(params.conversation);
    if (method === "message.new") this.#message(params);
    else if (method === "message.typing") this.#typing(params.on);
    else if (method === "message.read") this.peerRead = Math.max(this.peerRead ?? 0, params.seq);
    else if (method === "conversation.queued")
      this.conversation = {
        ...this.conversation,
        state: "queued",
        queue: { position: params.position, estimated_wait_s: params.estimated_wait_s },
      };
    else if (method === "conversation.left_message") {
      this.left = params;
      this.conversation = { ...this.conversation, state: "left_message" };
    }
    this.changed();
  }

  /** Another tab of the same buyer has begun a conversation, or gone on in another one: so does this one. */
  async #follow(id) {
    if (this.beginning) return;
    try {
      const conversation = await this.call("conversation.get", { conversation: id });
      if (this.#isHere(conversation) && conversation.state !== "closed") await this.#take(conversation);
    } catch {
      // The next opening brings what is missing.
    }
    this.changed();
  }

  #message(message) {
    this.typingUntil = 0;
    if (this.thread.take(message) === "gap") this.#catchUp(message.seq);
    if (message.from.kind !== "buyer") this.events.message(message);
  }

  #typing(on) {
    this.typingUntil = on ? Date.now() + 6000 : 0;
    if (on) setTimeout(() => this.changed(), 6050);
  }
}

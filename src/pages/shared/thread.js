// The messages of one conversation that the page has: one unbroken run, grown at either end. No element in here.

/** `take` says where a message fits: `added`, `known` or `gap`. */
export class Thread {
  constructor() {
    this.messages = [];
    this.version = 0;
    this.wanted = 0;
    this.catchingUp = null;
    this.loadingOlder = false;
    this.loaded = false;
  }

  /** The last sequence number that the page has; 0 for none. */
  get last() {
    return this.messages.length > 0 ? this.messages[this.messages.length - 1].seq : 0;
  }

  get first() {
    return this.messages.length > 0 ? this.messages[0].seq : 0;
  }

  /** Whether there are earlier messages that the page has not. */
  get hasOlder() {
    return this.messages.length > 0 && this.messages[0].prev > 0;
  }

  /** Takes a message from an event. */
  take(message) {
    const { messages } = this;
    if (messages.length > 0) {
      if (message.seq <= this.last) return this.#has(message.seq) ? "known" : "gap";
      if (message.prev > this.last) return "gap";
    } else if (!this.loaded && message.prev > 0) {
      return "gap";
    }
    messages.push(message);
    this.loaded = true;
    this.version += 1;
    return "added";
  }

  /** The own message, as soon as its number is known: everything lower has arrived, or is being read. */
  takeSent(message) {
    if (this.#has(message.seq)) return "known";
    if (this.catchingUp || (!this.loaded && message.seq > 1)) return "gap";
    return this.take({ ...message, prev: Math.min(this.last, message.seq - 1) });
  }

  /** A page of history, in order. Whatever the page has already stays. */
  merge(messages) {
    this.loaded = true;
    if (messages.length === 0) return;
    const bySeq = new Map(this.messages.map((message) => [message.seq, message]));
    for (const message of messages) bySeq.set(message.seq, message);
    this.messages = [...bySeq.values()].sort((one, other) => one.seq - other.seq);
    this.version += 1;
  }

  #has(seq) {
    let low = 0;
    let high = this.messages.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.messages[middle].seq;
      if (found === seq) return true;
      if (found < seq) low = middle + 1;
      else high = middle - 1;
    }
    return false;
  }

  /** Whether a note of this text stands in it. */
  hasNote(text) {
    return this.messages.some((message) => message.visibility === "staff" && message.body?.text === text);
  }

  /** When the oldest message was written that the buyer waits to have answered, or null. Notes and system texts are no answer. */
  waitingSince() {
    let oldest = null;
    for (let index = this.messages.length - 1; index >= 0; index -= 1) {
      const message = this.messages[index];
      if (message.from.kind === "agent" && message.visibility !== "staff") break;
      if (message.from.kind === "buyer") oldest = message.at;
    }
    return oldest;
  }

  /** How many messages at the end nobody has answered, and whether there may be more before what the page has. */
  unanswered() {
    let count = 0;
    for (let index = this.messages.length - 1; index >= 0; index -= 1) {
      const message = this.messages[index];
      if (message.from.kind === "agent" && message.visibility !== "staff") return { count, complete: true };
      if (message.from.kind === "buyer") count += 1;
    }
    return { count, complete: !this.hasOlder };
  }

  /** The last message that somebody wrote, notes included, or null. */
  lastSpoken() {
    for (let index = this.messages.length - 1; index >= 0; index -= 1) {
      if (this.messages[index].from.kind !== "system") return this.messages[index];
    }
    return null;
  }
}

/**
 * Reads what a thread lacks at its end, up to `lastSeq` where it is known, page after page.
 * `call(method, params)` asks the server; a second catch-up of the same thread joins the first, which then reads as far as either wants.
 */
export function catchUp(thread, conversation, call, lastSeq) {
  thread.wanted = Math.max(thread.wanted, lastSeq ?? 0);
  thread.catchingUp ??= readOn(thread, conversation, call, lastSeq).finally(() => {
    thread.catchingUp = null;
  });
  return thread.catchingUp;
}

async function readOn(thread, conversation, call, lastSeq) {
  if (!thread.loaded || thread.messages.length === 0) {
    const before = (lastSeq ?? 0) + 1;
    const params = before > 1 ? { conversation, before, limit: 50 } : { conversation, limit: 50 };
    const page = await call("message.history", params);
    thread.merge(page.messages);
    const more = before === 1 && page.more;
    if (!more && thread.last >= thread.wanted) return;
  }
  for (;;) {
    const page = await call("message.history", { conversation, after: thread.last, limit: 200 });
    thread.merge(page.messages);
    if (page.messages.length === 0 || (!page.more && thread.last >= thread.wanted)) return;
  }
}

/** Reads one page of what was before. */
export async function readOlder(thread, conversation, call) {
  if (!thread.hasOlder || thread.loadingOlder) return;
  thread.loadingOlder = true;
  try {
    const page = await call("message.history", { conversation, before: thread.first, limit: 50 });
    thread.merge(page.messages);
  } finally {
    thread.loadingOlder = false;
  }
}

// Messages on their way: each is sent again with the same client_id until the server has answered for it, in order per
// conversation, over reconnects and reloads of the page. It does not show anything.

const AGAIN_FIRST_MS = 2000;
const AGAIN_MAX_MS = 60000;
const AGAIN = new Set(["disconnected", "timeout", "unavailable", "internal", "rate_limited"]);

/** A client_id; 32 hexadecimal digits. */
export function freshClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  #busy = new Set();
  #tries = new Map();

  /**
   * `send(entry)` makes the call and gives its result; `sent(entry, result)` and `changed(conversation)` tell the page.
   * Where `sent` gives a promise, the page reads what was written before the message: it stays here, as `sent`, until then.
   * `key` names the place in sessionStorage.
   */
  constructor({ key, send, sent, changed }) {
    this.key = key;
    this.send = send;
    this.sent = sent;
    this.changed = changed;
    this.entries = load(key);
  }

  of(conversation) {
    return this.entries.filter((entry) => entry.conversation === conversation);
  }

  add(conversation, body, visibility) {
    const entry = {
      conversation,
      client_id: freshClientId(),
      body,
      visibility,
      at: new Date().toISOString(),
      state: "sending",
    };
    this.entries.push(entry);
    this.#save(conversation);
    this.flush(conversation);
    return entry;
  }

  /** Tries a failed one again. */
  retry(clientId) {
    const entry = this.entries.find((one) => one.client_id === clientId);
    if (!entry) return;
    entry.state = "sending";
    delete entry.error;
    this.#save(entry.conversation);
    this.flush(entry.conversation);
  }

  discard(clientId) {
    const entry = this.entries.find((one) => one.client_id === clientId);
    if (!entry) return;
    this.#remove(entry);
  }

  /** Forgets all that waits. */
  clear() {
    this.entries = [];
    this.#save();
  }

  /** Gives what waits for one conversation to another: a talk that was closed goes on in a new one. */
  move(from, to) {
    for (const entry of this.entries) if (entry.conversation === from) entry.conversation = to;
    this.#save(to);
    this.changed(from);
  }

  /** Sends what waits, of one conversation or of all. */
  flush(conversation) {
    const wanted =
      conversation === undefined ? new Set(this.entries.map((entry) => entry.conversation)) : [conversation];
    for (const id of wanted) this.#run(id);
  }

  async #run(conversation) {
    if (this.#busy.has(conversation)) return;
    this.#busy.add(conversation);
    try {
      for (;;) {
        const entry = this.entries.find((one) => one.conversation === conversation && one.state === "sending");
        if (!entry || !(await this.#deliver(entry))) return;
      }
    } finally {
      this.#busy.delete(conversation);
    }
  }

  /** Whether to go on with the next one. */
  async #deliver(entry) {
    try {
      const result = await this.send(entry);
      this.#tries.delete(entry.client_id);
      entry.state = "sent";
      const reading = this.sent(entry, result);
      if (reading) reading.finally(() => this.#remove(entry));
      else this.#remove(entry);
      return true;
    } catch (error) {
      if (error.kind === "moved") return true;
      if (AGAIN.has(error.kind)) {
        if (error.kind !== "disconnected") this.#later(entry, error.data?.retry_after_ms);
        return false;
      }
      entry.state = "failed";
      entry.error = { kind: error.kind, reason: error.reason, message: error.message, data: error.data };
      this.#save(entry.conversation);
      return true;
    }
  }

  #later(entry, milliseconds) {
    const tries = (this.#tries.get(entry.client_id) ?? 0) + 1;
    this.#tries.set(entry.client_id, tries);
    const wait = milliseconds ?? Math.min(AGAIN_MAX_MS, AGAIN_FIRST_MS * 2 ** (tries - 1));
    setTimeout(() => this.flush(entry.conversation), wait);
  }

  #remove(entry) {
    this.entries = this.entries.filter((one) => one !== entry);
    this.#save(entry.conversation);
  }

  #save(conversation) {
    try {
      if (this.entries.length > 0) sessionStorage.setItem(this.key, JSON.stringify(this.entries));
      else sessionStorage.removeItem(this.key);
    } catch {
      // Without storage the messages live as long as the page.
    }
    this.changed(conversation);
  }
}

function load(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "[]").filter((entry) => entry.state !== "sent");
  } catch {
    return [];
  }
}

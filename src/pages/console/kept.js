// What this tab remembers of conversations over a reload: drafts. It belongs to one account and is forgotten with it.

const KEY = "fenliu.console.kept";
const SAVE_MS = 400;

export class Kept {
  #entries = {};
  #account = null;
  #timer = 0;

  constructor() {
    try {
      const stored = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
      this.#account = stored?.account ?? null;
      this.#entries = stored?.entries ?? {};
    } catch {
      // Nothing is remembered.
    }
    addEventListener("pagehide", () => this.#save());
  }

  /** What is remembered of a conversation: `{reply?, note?}`. */
  of(conversation) {
    return this.#entries[conversation] ?? {};
  }

  /** Remembers more of a conversation; what is empty is forgotten. */
  keep(conversation, more) {
    const entry = { ...this.#entries[conversation], ...more };
    for (const [name, value] of Object.entries(entry)) if (!value) delete entry[name];
    if (Object.keys(entry).length > 0) this.#entries[conversation] = entry;
    else delete this.#entries[conversation];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), SAVE_MS);
  }

  /** Whose memory it is: true where it was somebody else's, who is forgotten. */
  isNewFor(account) {
    const other = this.#account !== null && this.#account !== account;
    if (other) this.#entries = {};
    this.#account = account;
    this.#save();
    return other;
  }

  /** Forgets all conversations but these. */
  only(conversations) {
    for (const id of Object.keys(this.#entries)) if (!conversations.has(id)) delete this.#entries[id];
    this.#save();
  }

  #save() {
    clearTimeout(this.#timer);
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ account: this.#account, entries: this.#entries }));
    } catch {
      // Without storage it lasts as long as the page.
    }
  }
}

// What the console knows: who we are, the conversations, the desks. It asks nobody and draws nothing; views subscribe by topic.

import { batched } from "../shared/dom.js";
import { Thread } from "../shared/thread.js";

/** Warning and limit in seconds until the server has named a group's own by its events. */
const REPLY_DEFAULTS = { warning: 100, overdue: 180 };
/** Characters of a text until the server has named its own limit. */
const TEXT_MAX = 8000;

export class Store {
  #listeners = new Map();
  #dirty = new Set();
  #flush = batched(() => this.#tell());

  /** `kept` is what the tab remembers over a reload. */
  constructor(kept) {
    this.identity = null;
    this.status = "offline";
    this.connection = { state: "stopped", detail: null };
    this.skew = 0;
    this.records = new Map();
    this.selected = null;
    this.desks = new Map();
    this.thresholds = new Map();
    this.wentOver = new Map();
    this.paused = new Map();
    this.people = new Map();
    this.kept = kept;
    this.textMax = TEXT_MAX;
  }

  /** Calls `listener` once a frame when any of the topics was touched. Gives the way to end it. */
  on(topics, listener) {
    const names = [].concat(topics);
    for (const name of names) {
      if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
      this.#listeners.get(name).add(listener);
    }
    return () => names.forEach((name) => this.#listeners.get(name)?.delete(listener));
  }

  touch(...topics) {
    for (const topic of topics) this.#dirty.add(topic);
    this.#flush();
  }

  #tell() {
    const listeners = new Set();
    for (const topic of this.#dirty) for (const listener of this.#listeners.get(topic) ?? []) listeners.add(listener);
    const topics = this.#dirty;
    this.#dirty = new Set();
    for (const listener of listeners) listener(topics);
  }

  /** Now by the server's clock, in milliseconds. */
  now() {
    return Date.now() + this.skew;
  }

  get me() {
    return this.identity?.id ?? null;
  }

  seller(id) {
    return this.identity?.sellers?.find((one) => one.seller === id);
  }

  /** Whether we may do something for a seller. A suspended authorization gives only what its own history allows. */
  may(sellerId, scope) {
    const seller = this.seller(sellerId);
    return Boolean(seller?.in_force && seller.scopes.includes(scope));
  }

  sellersWith(scope) {
    return (this.identity?.sellers ?? [])
      .filter((seller) => this.may(seller.seller, scope))
      .map((seller) => seller.seller);
  }

  record(id) {
    return this.records.get(id);
  }

  /** The record of a conversation, made if there is none yet, and brought up to `conversation` unless that is older. */
  keep(conversation) {
    let record = this.records.get(conversation.id);
    if (!record) {
      record = freshRecord(conversation, this.kept.of(conversation.id));
      this.records.set(conversation.id, record);
    } else if ((conversation.rev ?? 0) >= (record.conversation.rev ?? 0)) {
      record.conversation = { ...onlyInAnswers(record.conversation, conversation), ...conversation };
    }
    record.unread = unreadOf(record, conversation);
    if (conversation.offer) record.offerEnds = Date.now() + conversation.offer.expires_in_s * 1000;
    this.changed(record);
    return record;
  }

  /** Others have paused us for a seller, or (null) no longer; whether that is news. */
  pausedFor(seller, status) {
    if ((this.paused.get(seller) ?? null) === status) return false;
    if (status) this.paused.set(seller, status);
    else this.paused.delete(seller);
    this.touch("presence");
    return true;
  }

  /** Changes a draft, which outlives a reload. */
  draft(record, mode, text) {
    if (record.draft[mode] === text) return;
    record.draft[mode] = text;
    this.kept.keep(record.id, { [mode]: text });
  }

  /** Notes how a conversation came to be with whoever has it: the event says so beside it. */
  cameBy(record, cause, note) {
    record.conversation.cause = cause;
    record.passedNote = note ?? null;
  }

  forget(id) {
    const record = this.records.get(id);
    if (!record) return;
    record.gone = true;
    this.records.delete(id);
    this.touch("list", `conversation:${id}`);
  }

  /** To be called after any change of a record. */
  changed(record) {
    record.waitingSince = isMine(this, record) ? record.thread.waitingSince() : null;
    this.touch("list", `conversation:${record.id}`);
  }

  mine() {
    return [...this.records.values()].filter((record) => isMine(this, record));
  }

  offers() {
    return [...this.records.values()].filter((record) => record.offered);
  }

  held() {
    let held = 0;
    for (const record of this.records.values()) if (isMine(this, record) || record.offered) held += 1;
    return held;
  }

  /** How many conversations one may hold at once, over all sellers; null while unknown. */
  capacity() {
    return this.identity?.capacity ?? null;
  }

  /** `overdue`, `warning` or null: how urgent the answer is. */
  urgency(record) {
    if (!record.waitingSince) return null;
    if (record.overdue === "overdue") return "overdue";
    const since = Math.max(Date.parse(record.waitingSince), Date.parse(record.conversation.assigned_at ?? 0) || 0);
    const waited = (this.now() - since) / 1000;
    const limits = this.thresholds.get(record.conversation.group) ?? REPLY_DEFAULTS;
    if (waited >= limits.overdue) return "overdue";
    return record.overdue === "warning" || waited >= limits.warning ? "warning" : null;
  }

  /** Learns a group's own warning or limit from an event that came at it. */
  learn(group, level, seconds) {
    const known = this.thresholds.get(group) ?? { ...REPLY_DEFAULTS };
    known[level] = Math.round(seconds);
    this.thresholds.set(group, known);
  }

  /** Learns how people of a seller are called, from who may be handed a conversation. */
  meet(sellerId, people) {
    const known = this.people.get(sellerId) ?? new Map();
    for (const { sub_account, name } of people) known.set(sub_account, name);
    this.people.set(sellerId, known);
  }

  groupName(sellerId, groupId) {
    if (!groupId) return "";
    const known = this.desks.get(sellerId)?.view?.groups ?? this.seller(sellerId)?.transfer_to?.groups;
    return known?.find((one) => one.group === groupId)?.name ?? groupId;
  }

  agentName(sellerId, id) {
    if (id === this.me) return this.identity.name ?? id;
    const known = this.desks.get(sellerId)?.view?.agents ?? [];
    return known.find((one) => one.sub_account === id)?.name ?? this.people.get(sellerId)?.get(id) ?? id;
  }
}

function freshRecord(conversation, kept) {
  return {
    id: conversation.id,
    conversation,
    thread: new Thread(),
    unread: 0,
    draft: { reply: kept.reply ?? "", note: kept.note ?? "" },
    mode: "reply",
    typing: null,
    peerRead: 0,
    ownRead: 0,
    overdue: null,
    buyer: null,
    passedNote: null,
    offered: false,
    offerEnds: 0,
    watched: false,
    waitingSince: null,
    preview: "idle",
  };
}

/** How much is unread by an answer that may have been on its way while more was written, or read. */
function unreadOf({ unread, ownRead, thread }, { unread: told, last_seq }) {
  if (told === undefined || last_seq < thread.last) return unread;
  return last_seq <= ownRead ? 0 : told;
}

/** What events leave out of a conversation stays as it was, how it came to somebody only while it is that owner's. */
function onlyInAnswers(before, now) {
  const { first_reply_at, cause, assigned_at } = before;
  return now.assigned_at === assigned_at ? { first_reply_at, cause } : { first_reply_at };
}

export function isMine(store, record) {
  return record.conversation.state === "active" && record.conversation.agent?.id === store.me;
}

/** The buyer's name as it is shown; an id where none was given. */
export function buyerName(conversation, fallback) {
  return conversation.buyer?.name || fallback(conversation.buyer?.id ?? "");
}

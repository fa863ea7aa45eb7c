// What a person does in the console: each asks the server and says in words why it was refused.

import { confirmDialog, toast } from "../shared/dialog.js";
import { t, word } from "../shared/i18n.js";
import { isMine } from "./store.js";

/** A refusal as a sentence. */
export function refusalText(error, store) {
  const { kind, reason, data = {} } = error;
  if (kind === "conflict" && reason) {
    const owner = data.owner && typeof data.owner === "object" ? (data.owner.name ?? data.owner.id) : data.owner;
    if (reason === "not_waiting" && owner)
      return t("refusal.taken_by", { name: owner === store?.me ? t("you") : owner });
    return word("refusal", reason);
  }
  if (kind === "forbidden") return t("refusal.forbidden", { scope: data.scope ?? "" });
  if (kind === "internal") return t("refusal.internal", { ref: data.ref });
  const text = word("refusal", kind);
  return text === kind ? error.message : text;
}

export class Actions {
  constructor({ store, session }) {
    this.store = store;
    this.session = session;
  }

  /** Runs a call; a refusal becomes a toast. Gives the result, or undefined. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      toast(refusalText(error, this.store), { tone: "bad" });
      return undefined;
    }
  }

  async setStatus(status, { reroute } = {}) {
    const { store, session } = this;
    const params = reroute ? { status, reroute } : { status };
    try {
      const result = await session.call("presence.set", params);
      store.status = result.status;
      store.touch("presence");
    } catch (error) {
      if (error.reason !== "holds_conversations") return toast(refusalText(error, store), { tone: "bad" });
      const n = error.data.conversations?.length ?? error.data.conversations ?? store.held();
      const agreed = await confirmDialog({
        title: t("status.leave_title"),
        text: t("status.leave_text", { n }),
        label: t("status.leave_do"),
        tone: "danger",
      });
      if (agreed) await this.setStatus(status, { reroute: true });
    }
  }

  async setStatusOf(subAccount, status, seller, reroute = false) {
    const params = { status, sub_account: subAccount, seller };
    if (reroute) params.reroute = true;
    try {
      await this.session.call("presence.set", params);
    } catch (error) {
      if (error.reason !== "holds_conversations" || reroute)
        return toast(refusalText(error, this.store), { tone: "bad" });
      const agreed = await confirmDialog({
        title: t("status.leave_title"),
        text: t("status.leave_other"),
        label: t("status.leave_do"),
        tone: "danger",
      });
      if (agreed) await this.setStatusOf(subAccount, status, seller, true);
    }
  }

  async accept(record) {
    record.answering = true;
    this.store.changed(record);
    const conversation = await this.attempt(() =>
      this.session.call("conversation.accept", { conversation: record.id }),
    );
    record.answering = false;
    if (conversation) {
      record.offered = false;
      this.store.keep(conversation);
      await this.show(record.id);
    } else this.store.changed(record);
  }

  async decline(record) {
    record.answering = true;
    this.store.changed(record);
    // That the offer is over, the event says: by the time of the answer there may be another one.
    await this.attempt(() => this.session.call("conversation.decline", { conversation: record.id }));
    record.answering = false;
    this.store.changed(record);
  }

  async claim(record, force = false) {
    const params = { conversation: record.id };
    if (force) params.force = true;
    try {
      this.store.keep(await this.session.call("conversation.claim", params));
      await this.show(record.id);
    } catch (error) {
      await this.#perhapsForce(error, record, () => this.claim(record, true));
    }
  }

  async assign(record, subAccount, force = false) {
    const params = { conversation: record.id, sub_account: subAccount };
    if (force) params.force = true;
    try {
      this.store.keep(await this.session.call("conversation.assign", params));
      toast(t("done.assigned", { name: this.store.agentName(record.conversation.seller, subAccount) }));
      return true;
    } catch (error) {
      return this.#perhapsForce(error, record, () => this.assign(record, subAccount, true));
    }
  }

  async transfer(record, to, note, force = false) {
    const params = { conversation: record.id, to };
    if (note) params.note = note;
    if (force) params.force = true;
    try {
      this.store.keep(await this.session.call("conversation.transfer", params));
      if (note) this.session.leaveNote(record, note);
      toast(t("done.transferred"));
      return true;
    } catch (error) {
      return this.#perhapsForce(error, record, () => this.transfer(record, to, note, true));
    }
  }

  /** Beyond the limits only who may exceed them, and only when asked. */
  async #perhapsForce(error, record, again) {
    if (error.reason === "at_capacity" && this.store.may(record.conversation.seller, "conversation.exceed")) {
      const agreed = await confirmDialog({ title: t("force.title"), text: t("force.text"), label: t("force.do") });
      return agreed ? again() : false;
    }
    toast(refusalText(error, this.store), { tone: "bad" });
    return false;
  }

  async close(record) {
    const agreed = await confirmDialog({ title: t("close.title"), text: t("close.text"), label: t("close.do") });
    if (!agreed) return;
    const conversation = await this.attempt(() => this.session.call("conversation.close", { conversation: record.id }));
    if (conversation) this.store.keep(conversation);
  }

  /** Makes a conversation the one that is looked at. */
  async show(id) {
    const { store } = this;
    const before = store.record(store.selected);
    store.selected = id;
    store.touch("selected", "list");
    if (before && before.id !== id) {
      this.session.typing(before, false);
      store.touch(`conversation:${before.id}`);
    }
    if (!id) return;
    const record = store.record(id);
    const complete = record && record.thread.loaded && isMine(store, record);
    if (complete) this.session.markRead(record);
    else {
      await this.session.open(id);
      store.touch("selected");
      const opened = store.record(id);
      if (opened && store.selected === id) this.session.markRead(opened);
    }
  }

  async watch(record, on) {
    await this.attempt(() => this.session.watch(record, on));
  }
}

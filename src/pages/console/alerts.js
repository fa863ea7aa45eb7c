// Telling a person who looks elsewhere: sound, title and desktop notification, and words in passing.

import { bodyLine } from "../shared/body.js";
import { toast } from "../shared/dialog.js";
import { keepSetting, setting } from "../shared/settings.js";
import { t, word } from "../shared/i18n.js";
import { buyerName, isMine } from "./store.js";

const TONES = {
  message: [[660, 0, 0.09]],
  assigned: [
    [523, 0, 0.1],
    [784, 0.11, 0.14],
  ],
  offered: [
    [784, 0, 0.1],
    [988, 0.12, 0.1],
    [784, 0.24, 0.12],
  ],
  overdue: [[330, 0, 0.18]],
};

export class Alerts {
  #audio = null;
  #soundedAt = 0;

  /** `listInSight()` says whether a new row would be seen without a word. */
  constructor({ store, show, listInSight }) {
    this.store = store;
    this.show = show;
    this.listInSight = listInSight;
    this.sound = setting("sound", "on") === "on";
    this.desktop = setting("desktop", "off") === "on";
    store.on(["list"], () => this.#title());
    addEventListener("pointerdown", () => this.#wake(), { once: true });
    addEventListener("keydown", () => this.#wake(), { once: true });
  }

  setSound(on) {
    this.sound = on;
    keepSetting("sound", on ? "on" : "off");
    if (on) this.#play("message");
  }

  async setDesktop(on) {
    if (on && "Notification" in window && Notification.permission !== "granted") {
      on = (await Notification.requestPermission()) === "granted";
      if (!on) toast(t("alert.desktop_refused"), { tone: "bad" });
    }
    this.desktop = on;
    keepSetting("desktop", on ? "on" : "off");
  }

  message(record, message) {
    const { store } = this;
    if (message.from.id === store.me && message.from.kind === "agent") return;
    if (!isMine(store, record) || message.from.kind !== "buyer") return;
    if (record.id === store.selected && document.hasFocus()) return;
    this.#play("message");
    this.#notify(record, buyerName(record.conversation, short), bodyLine(message.body));
  }

  assigned(record, cause) {
    this.#play("assigned");
    this.#notify(record, t("alert.assigned", { name: buyerName(record.conversation, short) }), word("cause", cause));
    if (record.id !== this.store.selected && !this.listInSight()) {
      toast(t("alert.assigned", { name: buyerName(record.conversation, short) }), {
        action: { label: t("alert.open"), run: () => this.show(record.id) },
      });
    }
  }

  offered(record) {
    this.#play("offered");
    this.#notify(record, t("alert.offered", { name: buyerName(record.conversation, short) }), "");
  }

  offerEnded(record, why) {
    toast(t(`alert.offer_${why}`, { name: buyerName(record.conversation, short) }));
  }

  unassigned(record, cause, to) {
    const name = buyerName(record.conversation, short);
    const target = to && (to.name ?? to.sub_account ?? to.group ?? to.id ?? (typeof to === "string" ? to : null));
    if (cause === "transfer" && record.leaving) return;
    toast(
      target
        ? t("alert.moved_to", { name, to: target, cause: word("cause", cause) })
        : t("alert.moved", { name, cause: word("cause", cause) }),
    );
  }

  closed(record, by) {
    if (by === "agent") return;
    toast(t("alert.closed", { name: buyerName(record.conversation, short), by: word("by", by) }));
  }

  overdue(record, level) {
    if (level === "overdue") {
      this.#play("overdue");
      this.#notify(record, t("alert.overdue", { name: buyerName(record.conversation, short) }), "");
    }
  }

  status(status, cause) {
    if (cause === "set" || cause === "session") return;
    toast(t("alert.status", { status: t(`status.${status}`), cause: word("presence_cause", cause) }), {
      tone: cause === "missed_offers" ? "bad" : "plain",
    });
  }

  paused(seller, status) {
    if (status) toast(t("alert.paused", { seller, status: t(`status.${status}`) }), { tone: "bad" });
    else toast(t("alert.unpaused", { seller }));
  }

  configChanged() {
    toast(t("alert.config_changed"));
  }

  expiring() {
    this.store.expiring = true;
    this.store.touch("connection");
  }

  draining() {
    toast(t("alert.draining"));
  }

  #wake() {
    try {
      this.#audio ??= new AudioContext();
      this.#audio.resume();
    } catch {
      // No sound on this machine.
    }
  }

  #play(name) {
    if (!this.sound || !this.#audio || this.#audio.state !== "running") return;
    const now = Date.now();
    if (now - this.#soundedAt < 900) return;
    this.#soundedAt = now;
    for (const [frequency, delay, length] of TONES[name])
      this.#tone(frequency, this.#audio.currentTime + delay, length);
  }

  #tone(frequency, start, length) {
    const oscillator = this.#audio.createOscillator();
    const volume = this.#audio.createGain();
    oscillator.type = "sine";
    oscillator.frequency.value = frequency;
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.12, start + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.001, start + length);
    oscillator.connect(volume).connect(this.#audio.destination);
    oscillator.start(start);
    oscillator.stop(start + length + 0.02);
  }

  #notify(record, title, body) {
    if (!this.desktop || (!document.hidden && document.hasFocus())) return;
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const notification = new Notification(title, { body, tag: record.id });
    notification.onclick = () => {
      window.focus();
      this.show(record.id);
      notification.close();
    };
  }

  #title() {
    let unread = 0;
    for (const record of this.store.records.values())
      if (record.offered || (record.unread > 0 && isMine(this.store, record))) unread += 1;
    const title = unread > 0 ? `(${unread}) ${t("console.title")}` : t("console.title");
    if (document.title !== title) document.title = title;
  }
}

const short = (id) => t("buyer.unnamed", { id: id.slice(-6) });

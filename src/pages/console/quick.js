// Quick replies: this account's own on this browser, and a first few to begin with.

import { keepSetting, setting } from "../shared/settings.js";
import { t } from "../shared/i18n.js";

export function quickReplies() {
  try {
    const stored = JSON.parse(setting("quick", "null"));
    if (Array.isArray(stored))
      return stored.filter((reply) => typeof reply.name === "string" && typeof reply.text === "string");
  } catch {
    // What was stored is no list; the first few stand.
  }
  return ["hello", "moment", "order", "anything", "thanks"].map((name) => ({
    name: t(`quick.${name}_name`),
    text: t(`quick.${name}`),
  }));
}

export function keepQuickReplies(replies) {
  keepSetting("quick", JSON.stringify(replies));
}

/** Replies that fit what was typed, best first. */
export function matching(query) {
  const wanted = query.trim().toLowerCase();
  return quickReplies()
    .map((reply) => ({ reply, rank: rank(reply, wanted) }))
    .filter((one) => one.rank < 3)
    .sort((one, other) => one.rank - other.rank)
    .map((one) => one.reply)
    .slice(0, 8);
}

function rank({ name, text }, wanted) {
  if (name.toLowerCase().startsWith(wanted)) return 0;
  if (name.toLowerCase().includes(wanted)) return 1;
  return text.toLowerCase().includes(wanted) ? 2 : 3;
}

/** Fills `{buyer}` and `{me}`. */
export function filled(text, { buyer, me }) {
  return text.replaceAll("{buyer}", buyer).replaceAll("{me}", me);
}

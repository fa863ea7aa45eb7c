// Whatever the server can say has words, in both languages.

import { expect } from "../people.js";

const KINDS = ["parse_error", "invalid_request", "method_not_found", "invalid_params", "internal", "unauthenticated"].concat(
  ["forbidden", "not_found", "too_large", "rate_limited", "unavailable", "disconnected", "timeout", "removed"],
);
const REASONS = ["closed", "not_owner", "not_waiting", "agent_unavailable", "at_capacity", "holds_conversations"].concat(
  ["offer_expired", "shop_closed", "client_id_reused", "changed", "not_closed", "already_open"],
);
const CAUSES = ["start", "slot_opened", "overflow", "recent_wait", "transfer", "assign", "claim", "agent_lost"].concat(
  ["unanswered", "suspended", "unauthorized", "reload", "reopen", "returned", "offer_declined", "offer_timeout"],
);
const OTHERS = {
  by: ["buyer", "agent", "idle", "operator", "seller_removed"],
  left: ["nobody_online", "queue_full", "timeout", "abandoned", "binding"],
  presence_cause: ["set_by_other", "missed_offers", "lost"],
  state: ["queued", "offered", "active", "left_message", "closed"],
};

export function words(world) {
  return {
    "every refusal, cause and state has words in both languages": async () => {
      const page = await world.crowd();
      const known = await page.evaluate(readWords);
      for (const side of ["console", "buyer"]) {
        const [english, chinese] = [known[side].en, known[side].zh];
        const missing = english.filter((key) => !chinese.includes(key)).concat(chinese.filter((key) => !english.includes(key)));
        expect(missing.length === 0, `in one language only: ${missing}`);
        const wanted = [...KINDS, ...REASONS].map((name) => `refusal.${name}`);
        if (side === "console") {
          for (const cause of CAUSES) wanted.push(`cause.${cause}`, `cause_text.${cause}`);
          for (const [prefix, names] of Object.entries(OTHERS)) wanted.push(...names.map((name) => `${prefix}.${name}`));
        }
        const silent = wanted.filter((key) => !english.includes(key));
        expect(silent.length === 0, `no words for ${silent}`);
      }
      await page.context().close();
    },
  };
}

/** Runs in a page: the names of all words, by page and language. */
async function readWords() {
  const of = async (path) => Object.keys(Object.assign({}, ...Object.values(await import(path)).filter((one) => typeof one === "object")));
  const read = async (language, paths) => (await Promise.all(paths.map((path) => of(`/assets/${path}${language}.js`)))).flat();
  const both = async (paths) => ({ en: await read("en", paths), zh: await read("zh", paths) });
  return {
    console: await both(["shared/words/", "console/words/", "console/words/desk-"]),
    buyer: await both(["shared/words/"]),
  };
}

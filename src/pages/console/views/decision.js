// A routing decision in words: what was looked at, who was considered, who was chosen and why not the others.

import { fill, h } from "../../shared/dom.js";
import { openDialog } from "../../shared/dialog.js";
import { icon } from "../../shared/icons.js";
import { fullTime, t, word } from "../../shared/i18n.js";
import { refusalText } from "../actions.js";
import { buyerName } from "../store.js";

/** Shows how a conversation came to where it is, the last decision first. */
export async function openDecisions(app, record) {
  const body = h("div.decisions", {}, h("p.muted", {}, t("loading")));
  const name = buyerName(record.conversation, (id) => t("buyer.unnamed", { id: id.slice(-6) }));
  openDialog({ title: t("decision.title", { name }), body, wide: true });
  try {
    const { decisions } = await app.session.call("routing.explain", { conversation: record.id });
    const shown = [...decisions]
      .reverse()
      .map((decision, index) =>
        h(
          "details.decision",
          { open: index === 0 },
          h("summary", {}, h("strong", {}, word("cause", decision.cause)), h("span.muted", {}, fullTime(decision.at))),
          decisionElement(decision, app),
        ),
      );
    fill(body, shown.length > 0 ? shown : h("p.muted", {}, t("decision.none")));
  } catch (error) {
    fill(body, h("p.notice.bad", {}, refusalText(error, app.store)));
  }
}

export function decisionElement(decision, { store }) {
  const { seller } = decision;
  return h(
    "div.decision-body",
    {},
    outcome(decision, store),
    stepsOf(decision, store),
    bindingsOf(decision),
    candidatesOf(decision, store),
    unavailableOf(decision),
    h(
      "p.muted.small",
      {},
      t("decision.generation", { n: decision.generation, seller: store.seller(seller)?.name ?? seller }),
    ),
  );
}

function outcome({ chosen, seller, runner_up }, store) {
  if (!chosen) return h("p.outcome", {}, icon("clock"), t("decision.nobody"));
  const group = chosen.group && store.groupName(seller, chosen.group);
  const via = chosen.via && chosen.via !== chosen.group && store.groupName(seller, chosen.via);
  const who = chosen.sub_account && store.agentName(seller, chosen.sub_account);
  const second = runner_up && (typeof runner_up === "object" ? runner_up.sub_account : runner_up);
  return h(
    "p.outcome",
    { class: who ? "good" : "" },
    icon(who ? "check" : "clock"),
    h(
      "span",
      {},
      h("strong", {}, who || word("state", chosen.state)),
      group && ` · ${group}`,
      via && ` · ${t("decision.via", { group: via })}`,
      who && ` · ${word("state", chosen.state)}`,
      second && h("small.muted", {}, " ", t("decision.runner_up", { name: store.agentName(seller, second) })),
    ),
  );
}

function stepsOf({ steps = [], seller }, store) {
  if (steps.length === 0) return null;
  const item = ({ step, outcome: result, group, sub_account }) => {
    const about = [group && store.groupName(seller, group), sub_account && store.agentName(seller, sub_account)];
    return h(
      "li",
      {},
      h("strong", {}, word("step", step)),
      h("span", {}, [...about.filter(Boolean), word("outcome", result)].join(" · ")),
    );
  };
  return h("section", {}, h("h4", {}, t("decision.steps")), h("ol.steps", {}, steps.map(item)));
}

function bindingsOf({ bindings = [] }) {
  if (bindings.length === 0) return null;
  return h(
    "section",
    {},
    h("h4", {}, t("decision.bindings")),
    h(
      "ul.bindings",
      {},
      bindings.map(({ binding, matched, failed }) =>
        h(
          "li",
          { class: matched ? "matched" : "" },
          icon(matched ? "check" : "close", 14),
          h("code", {}, binding),
          h(
            "span.muted",
            {},
            matched
              ? t("decision.matched")
              : failed
                ? t("decision.failed", { matcher: failed })
                : t("decision.not_matched"),
          ),
        ),
      ),
    ),
  );
}

function candidatesOf({ candidates = [], seller, chosen }, store) {
  if (candidates.length === 0) return null;
  const scored = candidates.some(({ score }) => score !== undefined && score !== null);
  const labels = ["decision.who", "decision.load", scored && "decision.score", "decision.verdict"].filter(Boolean);
  const row = (candidate) => {
    const { sub_account: id, available, held, capacity, score } = candidate;
    const isChosen = id === chosen?.sub_account;
    return h(
      "tr",
      { class: isChosen ? "chosen" : available ? "" : "dim" },
      h("th", { scope: "row", dir: "auto" }, store.agentName(seller, id)),
      h("td.numeric", {}, `${held ?? "–"} / ${capacity ?? "–"}`),
      scored && h("td.numeric", {}, scoreText(score)),
      h("td.wrap", {}, isChosen ? t("decision.chosen") : available ? t("decision.could") : whyNot(candidate)),
    );
  };
  return h(
    "section",
    {},
    h("h4", {}, t("decision.candidates")),
    h(
      "div.table-frame",
      { tabindex: "0", role: "group", "aria-label": t("decision.candidates") },
      h(
        "table.table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            labels.map((label) => h("th", { scope: "col" }, t(label))),
          ),
        ),
        h("tbody", {}, candidates.map(row)),
      ),
    ),
  );
}

/** Who is offline has no session either: that is said once. */
function whyNot({ why_not: reasons = [] }) {
  const said = reasons.includes("offline") ? reasons.filter((reason) => reason !== "no_session") : reasons;
  return said.map((reason) => word("why_not", reason)).join(", ");
}

function scoreText(score) {
  if (score === undefined || score === null) return "–";
  return typeof score === "number"
    ? String(Math.round(score * 1000) / 1000)
    : typeof score === "object"
      ? JSON.stringify(score)
      : String(score);
}

/** Those who are not in the list, by reason. */
function unavailableOf({ unavailable = {}, candidates = [] }) {
  const listed = (reason) => candidates.filter(({ why_not }) => why_not?.includes(reason)).length;
  const further = Object.entries(unavailable)
    .map(([reason, n]) => [reason, n - listed(reason)])
    .filter(([, n]) => n > 0);
  if (further.length === 0) return null;
  const text = further.map(([reason, n]) => `${word("why_not", reason)} ${n}`).join(" · ");
  return h("p.muted", {}, t("decision.unavailable"), " ", text);
}

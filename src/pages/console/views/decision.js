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
    stepsOf(decision),
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

function stepsOf({ steps = [] }) {
  if (steps.length === 0) return null;
  return h(
    "section",
    {},
    h("h4", {}, t("decision.steps")),
    h(
      "ol.steps",
      {},
      steps.map(({ step, outcome: result, ...rest }) =>
        h(
          "li",
          {},
          h("strong", {}, word("step", step)),
          h("span", {}, word("outcome", result)),
          extras(rest) && h("small.muted", {}, extras(rest)),
        ),
      ),
    ),
  );
}

function extras(rest) {
  return Object.entries(rest)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" · ");
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
            ["decision.who", "decision.load", "decision.score", "decision.verdict"].map((label) =>
              h("th", { scope: "col" }, t(label)),
            ),
          ),
        ),
        h(
          "tbody",
          {},
          candidates.map((candidate) =>
            h(
              "tr",
              { class: candidate.sub_account === chosen?.sub_account ? "chosen" : candidate.available ? "" : "dim" },
              h("th", { scope: "row", dir: "auto" }, store.agentName(seller, candidate.sub_account)),
              h("td.numeric", {}, `${candidate.held ?? "–"} / ${candidate.capacity ?? "–"}`),
              h("td.numeric", {}, scoreText(candidate.score)),
              h(
                "td",
                {},
                candidate.sub_account === chosen?.sub_account
                  ? t("decision.chosen")
                  : candidate.available
                    ? t("decision.could")
                    : (candidate.why_not ?? []).map((reason) => word("why_not", reason)).join(", "),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

function scoreText(score) {
  if (score === undefined || score === null) return "–";
  return typeof score === "number"
    ? String(Math.round(score * 1000) / 1000)
    : typeof score === "object"
      ? JSON.stringify(score)
      : String(score);
}

function unavailableOf({ unavailable = {} }) {
  const entries = Object.entries(unavailable).filter(([, n]) => n > 0);
  if (entries.length === 0) return null;
  return h(
    "p.muted",
    {},
    t("decision.unavailable"),
    " ",
    entries.map(([reason, n]) => `${word("why_not", reason)} ${n}`).join(" · "),
  );
}

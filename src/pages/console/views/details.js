// The panel beside a conversation: who the buyer is, what it came with, earlier talks, and why it is with whom it is.

import { fill, h, show } from "../../shared/dom.js";
import { icon } from "../../shared/icons.js";
import { fullTime, momentOf, shortTime, t, word } from "../../shared/i18n.js";
import { openDialog } from "../../shared/dialog.js";
import { messageLog } from "../../shared/log.js";
import { Thread, catchUp, readOlder } from "../../shared/thread.js";
import { refusalText } from "../actions.js";
import { buyerName, isMine } from "../store.js";
import { openDecisions } from "./decision.js";
import { avatar } from "./status.js";

export function detailsPane(app) {
  const { store } = app;
  const body = h("div.details-body");
  const element = h(
    "aside.details-pane",
    { "aria-label": t("details.label") },
    h(
      "header.details-head",
      {},
      h("h2", {}, t("details.label")),
      h(
        "button.icon-button",
        { type: "button", "aria-label": t("dialog.close"), on: { click: () => app.commands.panel() } },
        icon("close", 16),
      ),
    ),
    body,
  );
  let end = null;
  let shown = null;
  let drawn = "";

  const draw = () => {
    const record = store.record(store.selected);
    if (!record) return fill(body);
    const key = `${record.id}:${record.conversation.rev}:${record.conversation.state}:${record.buyer?.online}:${record.conversation.cause}:${record.earlier?.length}:${JSON.stringify(record.conversation.rating ?? null)}:${store.desks.size}:${record.why?.of}`;
    if (key === drawn) return;
    drawn = key;
    fill(
      body,
      buyerCard(record),
      facts(record, app),
      mapSection("details.attrs", record.conversation.buyer?.attrs),
      mapSection("details.context", record.conversation.context),
      whySection(record, app),
      earlierSection(record, app),
    );
    const again = (fresh) => fresh && store.record(store.selected) === record && ((drawn = ""), draw());
    readEarlier(record, app).then(again);
    readWhy(record, app).then(again);
  };
  const select = () => {
    if (shown !== store.selected) {
      shown = store.selected;
      end?.();
      end = shown ? store.on(`conversation:${shown}`, draw) : null;
      drawn = "";
    }
    draw();
  };
  const ends = [store.on(["selected", "desk", "identity"], select)];
  select();
  return {
    element,
    dispose() {
      end?.();
      ends.forEach((one) => one());
    },
  };
}

function buyerCard({ conversation, buyer }) {
  const name = buyerName(conversation, (id) => t("buyer.unnamed", { id: id.slice(-6) }));
  return h(
    "div.buyer-card",
    {},
    avatar(conversation.buyer?.name || "#", conversation.buyer?.id, "large"),
    h(
      "div",
      {},
      h("strong", { dir: "auto" }, name),
      h("code", { title: conversation.buyer?.id }, conversation.buyer?.id),
      buyer &&
        h(
          "small.status-mark",
          {},
          h("span.dot", { class: buyer.online ? "online" : "offline" }),
          t(buyer.online ? "buyer.here" : "buyer.gone"),
        ),
    ),
  );
}

function facts(record, { store }) {
  const { conversation } = record;
  const rows = [
    ["details.state", t(`state.${conversation.state}`)],
    [
      "details.agent",
      conversation.agent &&
        (conversation.agent.id === store.me ? t("you") : (conversation.agent.name ?? conversation.agent.id)),
    ],
    // Whoever serves one seller knows which.
    ["details.seller", store.identity?.sellers?.length !== 1 && (store.seller(conversation.seller)?.name ?? conversation.seller)],
    ["details.group", store.groupName(conversation.seller, conversation.group)],
    ["details.entry", conversation.entry],
    ["details.priority", conversation.priority > 0 && String(conversation.priority)],
    ["details.started", moment(conversation.started_at)],
    ["details.assigned", moment(conversation.assigned_at)],
    ["details.closed", moment(conversation.closed_at)],
    ["details.reason", conversation.reason && word("left", conversation.reason)],
    ["details.rating", conversation.rating && ratingText(conversation.rating)],
  ];
  return section(
    "details.conversation",
    h(
      "dl.facts",
      {},
      rows
        .filter(([, value]) => value)
        .map(([label, value]) => [h("dt", {}, t(label)), h("dd", { dir: "auto" }, value)]),
    ),
  );
}

function moment(at) {
  return at && h("time", { datetime: at, title: fullTime(at) }, momentOf(at));
}

function ratingText(rating) {
  const score = typeof rating === "object" ? rating.score : rating;
  return `${"★".repeat(score)}${"☆".repeat(Math.max(0, 5 - score))} ${rating.comment ?? ""}`.trim();
}

function mapSection(label, map) {
  const entries = Object.entries(map ?? {});
  if (entries.length === 0) return null;
  return section(
    label,
    h(
      "dl.facts",
      {},
      entries.map(([name, value]) => [
        h("dt", { dir: "auto" }, word("context", name)),
        h("dd", { dir: "auto" }, Array.isArray(value) ? value.join(", ") : String(value)),
      ]),
    ),
  );
}

function section(label, ...content) {
  return h("section.details-section", {}, h("h3", {}, t(label)), content);
}

function whySection(record, app) {
  const { seller } = record.conversation;
  const mine = isMine(app.store, record);
  const explains = app.store.may(seller, "routing.explain");
  const decision = record.why?.decision;
  const cause = decision?.cause ?? record.conversation.cause;
  if (!cause && !explains) return null;
  const binding = decision?.bindings?.find((one) => one.matched)?.binding;
  const via = decision?.chosen?.group && app.store.groupName(seller, decision.chosen.group);
  return section(
    mine ? "details.why_mine" : "details.why",
    // Of somebody else's that it began says nothing.
    cause && (mine || cause !== "start") && h("p", {}, mine ? word("cause_text", cause) : word("cause", cause)),
    decision && h("p.muted", {}, binding ? t("details.why_binding", { binding, group: via }) : t("details.why_default", { group: via })),
    explains &&
      h(
        "button.button.small",
        { type: "button", on: { click: () => openDecisions(app, record) } },
        icon("whatif", 15),
        t("details.decisions"),
      ),
  );
}

/** The last decision about a conversation, for who may look into them; read again when it is somebody else's. */
async function readWhy(record, { store, session }) {
  const { id, seller, state, agent } = record.conversation;
  const of = `${state}:${agent?.id}`;
  if (record.why?.of === of || !store.may(seller, "routing.explain") || store.connection.state !== "open") return false;
  record.why = { of, decision: null };
  try {
    const { decisions } = await session.call("routing.explain", { conversation: id }, { background: true });
    record.why = { of, decision: decisions[decisions.length - 1] ?? null };
  } catch (error) {
    // A refusal stands; what the line cost is asked again.
    if (error.kind === "disconnected") record.why = undefined;
  }
  return Boolean(record.why?.decision);
}

/** Earlier conversations of the same buyer; readable while one of them is held. */
async function readEarlier(record, { store, session }) {
  if (record.earlier !== undefined || store.connection.state !== "open") return false;
  record.earlier = null;
  const { seller, buyer } = record.conversation;
  try {
    const page = await session.call("conversation.list", { seller, buyer: buyer.id, limit: 20 }, { background: true });
    record.earlier = page.conversations.filter((one) => one.id !== record.id);
  } catch (error) {
    record.earlier = error.kind === "disconnected" ? undefined : [];
  }
  return record.earlier !== undefined;
}

function earlierSection(record, app) {
  if (!record.earlier?.length) return null;
  const items = record.earlier.map((conversation) =>
    h(
      "button.earlier",
      { type: "button", on: { click: () => openEarlier(conversation, app) } },
      h("span", {}, shortTime(conversation.started_at)),
      h("span.muted", {}, [conversation.agent?.name, t(`state.${conversation.state}`)].filter(Boolean).join(" · ")),
      conversation.rating &&
        h(
          "span.stars",
          {},
          "★",
          typeof conversation.rating === "object" ? conversation.rating.score : conversation.rating,
        ),
    ),
  );
  return section("details.earlier", items);
}

function openEarlier(conversation, { session, store }) {
  const thread = new Thread();
  const problem = h("p.notice", { hidden: true });
  const log = messageLog({
    own: (message) => message.from.kind !== "buyer",
    name: (message) => message.from.name ?? message.from.id ?? "",
    older: () => readOlder(thread, conversation.id, session.call).then(update),
    label: t("thread.log"),
  });
  const update = () => log.update({ thread, pending: [], peerRead: 0, typing: null, problem: null });
  openDialog({
    title: t("details.earlier_title", { when: fullTime(conversation.started_at) }),
    body: h("div.earlier-log", {}, problem, log.element),
    wide: true,
    onClose: () => log.dispose(),
  });
  update();
  catchUp(thread, conversation.id, session.call, conversation.last_seq).then(update, (error) => {
    show(problem, true);
    fill(problem, refusalText(error, store));
  });
}

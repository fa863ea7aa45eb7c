// The desk of a seller: groups, people, entries and today's figures, live.

import { fill, h, keyed, setAttribute, setText, show } from "../../shared/dom.js";
import { openMenu } from "../../shared/dialog.js";
import { icon } from "../../shared/icons.js";
import { duration, number, shortTime, t } from "../../shared/i18n.js";
import { deskChart } from "./chart.js";
import { STATUSES, avatar, emptyState, setAvatar, statusMark } from "./status.js";

const YEAR_S = 31536000;

export function deskView(app) {
  const { store } = app;
  const state = { seller: store.sellersWith("desk.view")[0] ?? null };
  const picker = h("select.input.small", {
    "aria-label": t("details.seller"),
    on: { change: () => ((state.seller = picker.value), chart.open(state.seller), update()) },
  });
  const live = h("span.live", {}, h("span.dot.online"), t("desk.live"));
  const figures = h("div.figures");
  const groups = tableOf(["desk.group", "desk.waiting", "desk.longest", "desk.left", "desk.members"], "desk.groups");
  const agents = tableOf(
    ["desk.agent", "desk.status", "desk.load", "desk.since", "desk.in_groups", "desk.actions"],
    "desk.agents",
  );
  const entries = tableOf(["desk.entry", "desk.started", "desk.served"], "desk.entries");
  const chart = deskChart(app);
  const content = h(
    "div.desk-content",
    {},
    figures,
    chart.element,
    h(
      "div.desk-grid",
      {},
      h("div.panel", {}, h("h2", {}, t("desk.groups")), groups.element),
      h("div.panel", {}, h("h2", {}, t("desk.entries")), entries.element),
    ),
    h("div.panel", {}, h("h2", {}, t("desk.agents")), agents.element),
  );
  const none = h("div.desk-none", {}, emptyState("desk", t("desk.none"), t("desk.none_text")));
  const element = h(
    "section.page.desk",
    { "aria-label": t("nav.desk") },
    h("header.page-head.desk-head", {}, h("h1", {}, t("desk.title")), picker, live),
    content,
    none,
  );

  const update = () => {
    const sellers = store.sellersWith("desk.view");
    if (!sellers.includes(state.seller)) {
      state.seller = sellers[0] ?? null;
      chart.open(state.seller);
    }
    if (picker.children.length !== sellers.length)
      fill(
        picker,
        sellers.map((id) => h("option", { value: id }, store.seller(id)?.name ?? id)),
      );
    if (state.seller) picker.value = state.seller;
    const desk = store.desks.get(state.seller);
    const view = desk?.view;
    show(content, Boolean(view));
    show(none, !view);
    live.classList.toggle("stale", store.connection.state !== "open");
    if (!view) return;
    drawFigures(figures, view);
    drawGroups(groups.body, view, app);
    drawAgents(agents.body, view, state.seller, app);
    drawEntries(entries.body, view);
  };
  const ends = [store.on(["desk", "identity", "connection"], update)];
  chart.open(state.seller);
  update();
  const ticking = setInterval(update, 5000);
  return {
    element,
    dispose() {
      clearInterval(ticking);
      chart.dispose();
      ends.forEach((end) => end());
    },
  };
}

function tableOf(labels, name) {
  const body = h("tbody");
  const table = h(
    "table.table",
    {},
    h("caption.sr", {}, t(name)),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        labels.map((label) => h("th", { scope: "col" }, t(label))),
      ),
    ),
    body,
  );
  return { element: h("div.table-frame", { tabindex: "0", role: "group", "aria-label": t(name) }, table), body };
}

function drawFigures(element, view) {
  const { today = {} } = view;
  const waiting = sum(view.groups, "waiting");
  const longest = Math.max(0, ...view.groups.map((group) => group.longest_wait_s ?? 0));
  const online = view.agents.filter((agent) => agent.status === "online").length;
  const items = [
    [
      "waiting",
      number(waiting),
      longest > 0 ? t("figure.longest", { time: duration(longest) }) : t("figure.no_wait"),
      waiting > 0 ? "warn" : "",
    ],
    ["left", number(sum(view.groups, "left_messages")), t("figure.left_today", { n: number(today.left ?? 0) })],
    [
      "online",
      `${online} / ${view.agents.length}`,
      t("figure.held", {
        held: sum(view.agents, "held"),
        capacity: sum(
          view.agents.filter((agent) => agent.status === "online"),
          "capacity",
        ),
      }),
    ],
    [
      "started",
      number(today.started ?? 0),
      t("figure.served_closed", { served: number(today.served ?? 0), closed: number(today.closed ?? 0) }),
    ],
    ["wait", seconds(today.median_wait_s), t("figure.median")],
    [
      "reply",
      seconds(today.median_first_reply_s),
      today.replied_in_time_ratio === undefined || today.replied_in_time_ratio === null
        ? t("figure.median")
        : t("figure.in_time", { percent: Math.round(today.replied_in_time_ratio * 100) }),
    ],
  ];
  keyed(
    element,
    items,
    ([name]) => name,
    ([name]) =>
      h("div.figure", {}, h("span.figure-label", {}, t(`figure.${name}`)), h("strong.figure-value"), h("small.muted")),
    (figure, [, value, detail, tone]) => {
      setText(figure.children[1], value);
      setText(figure.children[2], detail);
      figure.classList.toggle("warn", tone === "warn");
    },
  );
}

function seconds(value) {
  return value === undefined || value === null ? "–" : duration(value);
}

function sum(list, member) {
  return list.reduce((total, one) => total + (one[member] ?? 0), 0);
}

function drawGroups(body, view, app) {
  keyed(
    body,
    view.groups,
    (group) => group.group,
    () =>
      h(
        "tr",
        {},
        h("th", { scope: "row", dir: "auto" }),
        h("td.numeric"),
        h("td.numeric"),
        h("td.numeric"),
        h("td.numeric"),
      ),
    (row, group) => {
      const [name, waiting, longest, left, members] = row.children;
      const inIt = view.agents.filter((agent) => agent.groups?.includes(group.group));
      const shown = group.name ?? group.group;
      setText(name, shown);
      leadTo(waiting, group.waiting, t("desk.show_waiting", { n: group.waiting, group: shown }), () => app.seek("waiting", shown));
      setText(longest, group.waiting > 0 ? seconds(group.longest_wait_s) : "–");
      leadTo(left, group.left_messages, t("desk.show_left", { n: group.left_messages, group: shown }), () =>
        app.seek("waiting", shown),
      );
      setText(members, `${inIt.filter((agent) => agent.status === "online").length} / ${inIt.length}`);
      row.classList.toggle("alarm", (group.longest_wait_s ?? 0) >= 180 && group.waiting > 0);
      row.classList.toggle("warned", group.waiting > 0);
    },
  );
}

function drawAgents(body, view, seller, app) {
  const { store } = app;
  const rank = { online: 0, away: 1, offline: 2 };
  const agents = [...view.agents].sort(
    (one, other) =>
      rank[one.status] - rank[other.status] ||
      (one.name ?? one.sub_account).localeCompare(other.name ?? other.sub_account),
  );
  keyed(
    body,
    agents,
    (agent) => agent.sub_account,
    (agent) => {
      const button = h(
        "button.icon-button.small",
        { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" },
        icon("more", 16),
      );
      button.addEventListener("click", () => openMenu(button, agentItems(button.agent, seller, app), { align: "end" }));
      return h(
        "tr",
        {},
        h(
          "th",
          { scope: "row" },
          h("span.agent-cell", {}, avatar(agent.name, agent.sub_account, "small"), h("span", { dir: "auto" })),
        ),
        h("td"),
        h(
          "td",
          {},
          h("span.load-cell", {}, h("span.meter", { "aria-hidden": "true" }, h("span.meter-fill")), h("span.numeric")),
        ),
        h("td.numeric"),
        h("td.wrap.muted", { dir: "auto" }),
        h("td.numeric", {}, button),
      );
    },
    (row, agent) => {
      const [name, status, load, since, inGroups, actions] = row.children;
      const shown = agent.name ?? agent.sub_account;
      setAvatar(name.firstChild.firstChild, shown, agent.sub_account);
      setText(name.firstChild.lastChild, shown);
      if (status.dataset.status !== agent.status + agent.sessions) {
        status.dataset.status = agent.status + agent.sessions;
        fill(
          status,
          statusMark(agent.status),
          agent.status !== "offline" && agent.sessions === 0 && h("small.muted", {}, ` ${t("desk.no_session")}`),
        );
      }
      const [meter, words] = load.firstChild.children;
      meter.firstChild.style.setProperty(
        "width",
        `${Math.min(100, agent.capacity ? (agent.held / agent.capacity) * 100 : 0)}%`,
      );
      meter.classList.toggle("full", agent.held >= agent.capacity);
      const label = t("desk.show_held", { load: `${agent.held} / ${agent.capacity}`, name: shown });
      leadTo(words, `${agent.held} / ${agent.capacity}`, agent.held > 0 && label, () => app.seek("active", shown));
      setText(since, sinceText(agent.since, store));
      setText(inGroups, (agent.groups ?? []).map((group) => store.groupName(seller, group)).join(", "));
      const button = actions.firstChild;
      button.agent = agent;
      setAttribute(button, "aria-label", t("desk.actions_for", { name: shown }));
      show(button, store.may(seller, "presence.set.others"));
      row.classList.toggle("dim", agent.status === "offline");
    },
  );
}

/** A figure, and where there is something behind it, the way there. */
function leadTo(element, figure, label, go) {
  const text = typeof figure === "number" ? number(figure) : figure;
  if (!figure || !label) return setText(element, text);
  if (element.firstElementChild === null) fill(element, h("button.figure-link", { type: "button" }));
  const button = element.firstElementChild;
  button.onclick = go;
  setText(button, text);
  setAttribute(button, "aria-label", label);
}

function sinceText(since, store) {
  const age = (store.now() - Date.parse(since)) / 1000;
  // Who was never here has been gone since time began.
  if (!(age < YEAR_S)) return "–";
  return age < 86400 ? duration(age) : shortTime(since);
}

function agentItems(agent, seller, app) {
  return STATUSES.map((status) => ({
    label: t("desk.set_status", { status: t(`status.${status}`) }),
    dot: status,
    checked: agent.status === status,
    run: () => app.actions.setStatusOf(agent.sub_account, status, seller),
  }));
}

function drawEntries(body, view) {
  keyed(
    body,
    view.entries ?? [],
    (entry) => entry.entry,
    () => h("tr", {}, h("th", { scope: "row" }), h("td.numeric"), h("td.numeric")),
    (row, entry) => {
      const [name, started, served] = row.children;
      setText(name, entry.entry);
      setText(started, number(entry.started));
      setText(served, number(entry.served));
    },
  );
}

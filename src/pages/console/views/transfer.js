// To whom a conversation goes: groups and people of the seller, who is free, a note for whoever gets it.

import { fill, h, keyed, setText, show } from "../../shared/dom.js";
import { openDialog } from "../../shared/dialog.js";
import { icon } from "../../shared/icons.js";
import { t } from "../../shared/i18n.js";
import { avatar, statusMark } from "./status.js";

export function openTransfer(app, record) {
  const note = h("textarea.input", { id: "transfer-note", rows: "2", maxlength: "2000", dir: "auto" });
  const picker = targetPicker(app, record, { groups: true });
  openDialog({
    title: t("transfer.title"),
    body: h(
      "div.transfer",
      {},
      picker.element,
      h("label.field", { for: "transfer-note" }, h("span", {}, t("transfer.note")), note),
    ),
    actions: [
      { label: t("dialog.cancel") },
      {
        label: t("transfer.do"),
        tone: "primary",
        submits: true,
        run: async () => {
          const to = picker.chosen();
          if (!to) return picker.complain();
          record.leaving = true;
          const done = await app.actions.transfer(record, to, note.value.trim());
          record.leaving = false;
          return Boolean(done);
        },
      },
    ],
    onClose: picker.dispose,
  });
  picker.focus();
}

export function openAssign(app, record) {
  const picker = targetPicker(app, record, { groups: false });
  openDialog({
    title: t("assign.title"),
    body: h("div.transfer", {}, picker.element),
    actions: [
      { label: t("dialog.cancel") },
      {
        label: t("assign.do"),
        tone: "primary",
        submits: true,
        run: async () => {
          const to = picker.chosen();
          if (!to) return picker.complain();
          return Boolean(await app.actions.assign(record, to.sub_account));
        },
      },
    ],
    onClose: picker.dispose,
  });
  picker.focus();
}

/** A list of radio buttons that stays up to date while it is open. */
function targetPicker(app, record, { groups }) {
  const { store } = app;
  const list = h("div.targets", { role: "radiogroup", "aria-label": t("transfer.to") });
  const search = h("input.input", {
    type: "search",
    placeholder: t("transfer.search"),
    "aria-label": t("transfer.search"),
  });
  const problem = h("p.notice.bad", { role: "alert", hidden: true });
  const none = h("p.muted", { hidden: true }, t("list.none_found"));

  const draw = () => {
    const query = search.value.trim().toLowerCase();
    const fits = ({ name, key }) => name.toLowerCase().includes(query) || key.toLowerCase().includes(query);
    const found = targets(store, record, groups).filter(fits).sort(byRank);
    keyed(list, found, (target) => target.key, createTarget, updateTarget);
    show(none, found.length === 0);
  };
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    list.querySelector("input")?.focus();
  });
  const end = store.on(["desk"], draw);
  draw();
  return {
    element: h("div", {}, problem, search, list, none),
    chosen: () => list.querySelector("input:checked")?.closest("label").target.to ?? null,
    complain() {
      setText(problem, t("transfer.choose"));
      show(problem, true);
      return false;
    },
    focus: () => search.focus(),
    dispose: end,
  };
}

/** The groups and people of the seller. Who is free stands there where the desk may be seen. */
function targets(store, record, groups) {
  const { seller, agent: owner } = record.conversation;
  const view = store.desks.get(seller)?.view;
  const known = store.seller(seller)?.transfer_to ?? { groups: [], sub_accounts: [] };
  const isFree = (agent) => agent.status === "online" && agent.held < agent.capacity;
  const others = (view?.agents ?? known.sub_accounts).filter((agent) => agent.sub_account !== owner?.id);
  const people = others.map((agent) => ({
    key: `a:${agent.sub_account}`,
    to: { sub_account: agent.sub_account },
    name: agent.name ?? agent.sub_account,
    agent,
    rank: !view || isFree(agent) ? 1 : { online: 2, away: 3, offline: 4 }[agent.status],
    free: !view || isFree(agent),
  }));
  if (!groups) return people;

  const places = (view?.groups ?? known.groups).map((group) => {
    const free = others.filter((agent) => agent.groups?.includes(group.group) && isFree(agent)).length;
    return {
      key: `g:${group.group}`,
      to: { group: group.group },
      name: group.name ?? group.group,
      detail: view ? t("transfer.group_detail", { free, waiting: group.waiting }) : "",
      rank: 0,
      free: !view || free > 0,
    };
  });
  return [...places, ...people];
}

function byRank(one, other) {
  const held = (target) => target.agent?.held ?? 0;
  return one.rank - other.rank || held(one) - held(other) || one.name.localeCompare(other.name);
}

function createTarget(target) {
  const detail = h("span.target-detail");
  const mark = h("span.target-mark");
  const face = target.agent
    ? avatar(target.name, target.agent.sub_account, "small")
    : h("span.target-icon", {}, icon("users", 16));
  const label = h(
    "label.target",
    {},
    h("input", { type: "radio", name: "target", value: target.key }),
    face,
    h("span.target-name", { dir: "auto" }, target.name),
    mark,
    detail,
  );
  label.detail = detail;
  label.mark = mark;
  return label;
}

function updateTarget(label, target) {
  label.target = target;
  label.classList.toggle("free", target.free);
  if (!target.agent) return setText(label.detail, target.detail);
  const { status, held, capacity } = target.agent;
  if (status === undefined) return;
  if (label.mark.dataset.status !== status) {
    label.mark.dataset.status = status;
    fill(label.mark, statusMark(status));
  }
  setText(label.detail, t("transfer.agent_detail", { held, capacity }));
}

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

/** How often the server is asked who is free while the list is open. */
const ASK_AGAIN_MS = 3000;

/** A list of radio buttons that stays up to date while it is open. */
function targetPicker(app, record, { groups }) {
  const { store, session } = app;
  let answer = null;
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
    const found = targets(store, record, groups, answer).filter(fits).sort(byRank);
    keyed(list, found, (target) => target.key, createTarget, updateTarget);
    show(none, answer !== null && found.length === 0);
  };
  search.addEventListener("input", draw);
  // Down goes to the first that fits; Enter takes the only one, so that the next Enter sends it there.
  search.addEventListener("keydown", (event) => {
    const fitting = list.querySelectorAll("input");
    const only = event.key === "Enter" && fitting.length === 1 && !fitting[0].checked;
    if ((event.key !== "ArrowDown" && !only) || event.isComposing || fitting.length === 0) return;
    event.preventDefault();
    fitting[0].checked = true;
    fitting[0].focus();
  });
  const ask = async () => {
    try {
      answer = await session.call("conversation.targets", { conversation: record.id });
      store.meet(record.conversation.seller, answer.sub_accounts);
      draw();
    } catch {
      // Who is free stays as it was last heard; the transfer itself says what cannot be.
    }
  };
  const asking = setInterval(ask, ASK_AGAIN_MS);
  const end = store.on(["desk"], draw);
  draw();
  ask();
  return {
    element: h("div", {}, problem, search, list, none),
    chosen: () => list.querySelector("input:checked")?.closest("label").target.to ?? null,
    complain() {
      setText(problem, t("transfer.choose"));
      show(problem, true);
      return false;
    },
    focus: () => search.focus(),
    dispose() {
      clearInterval(asking);
      end();
    },
  };
}

/**
 * The groups and people of the seller. Until the server has said who they are and who is free (`answer`) only the groups'
 * names stand there;
 * how much somebody holds and how many wait, only where the desk may be seen.
 */
function targets(store, record, groups, answer) {
  const { seller, agent: owner } = record.conversation;
  const view = store.desks.get(seller)?.view;
  const known = answer ?? { groups: store.seller(seller)?.transfer_to?.groups ?? [], sub_accounts: [] };
  const others = known.sub_accounts.filter((agent) => agent.sub_account !== owner?.id);
  const people = others.map(({ sub_account, name, status, free }) => ({
    key: `a:${sub_account}`,
    to: { sub_account },
    id: sub_account,
    name,
    status,
    detail: agentDetail(view, sub_account, status, free),
    rank: free ? 1 : { online: 2, away: 3, offline: 4 }[status],
    held: onDesk(view, sub_account)?.held ?? 0,
    free,
  }));
  if (!groups) return people;

  const places = known.groups.map(({ group, name, free }) => {
    const waiting = view?.groups.find((one) => one.group === group)?.waiting;
    const details = [t("transfer.free", { n: free }), waiting !== undefined && t("transfer.waiting", { n: waiting })];
    return {
      key: `g:${group}`,
      to: { group },
      name,
      detail: answer ? details.filter(Boolean).join(" · ") : "",
      rank: 0,
      held: 0,
      free: !answer || free > 0,
    };
  });
  return [...places, ...people];
}

const onDesk = (view, account) => view?.agents.find((agent) => agent.sub_account === account);

/** What somebody holds, where that may be known; else whether it has room. */
function agentDetail(view, account, status, free) {
  const seen = onDesk(view, account);
  if (seen) return t("transfer.agent_detail", seen);
  if (status !== "online") return "";
  return free ? t("transfer.has_room") : t("transfer.full");
}

function byRank(one, other) {
  return one.rank - other.rank || one.held - other.held || one.name.localeCompare(other.name);
}

function createTarget(target) {
  const detail = h("span.target-detail");
  const mark = h("span.target-mark");
  const face = target.id ? avatar(target.name, target.id, "small") : h("span.target-icon", {}, icon("users", 16));
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
  setText(label.detail, target.detail);
  if (target.status && label.mark.dataset.status !== target.status) {
    label.mark.dataset.status = target.status;
    fill(label.mark, statusMark(target.status));
  }
}

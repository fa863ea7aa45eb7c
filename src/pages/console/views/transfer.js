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

/** A list of radio buttons that stays up to date while it is open; where no board may be seen, ids are typed. */
function targetPicker(app, record, { groups }) {
  const { store } = app;
  const { seller } = record.conversation;
  const list = h("div.targets", { role: "radiogroup", "aria-label": t("transfer.to") });
  const search = h("input.input", {
    type: "search",
    placeholder: t("transfer.search"),
    "aria-label": t("transfer.search"),
  });
  const problem = h("p.notice.bad", { role: "alert", hidden: true });
  const blind = h("div.blind", { hidden: true });
  const byId = h("input.input", { id: "target-id", maxlength: "64", autocomplete: "off", spellcheck: "false" });
  fill(
    blind,
    h("p.muted", {}, t("transfer.blind")),
    h("label.field", { for: "target-id" }, h("span", {}, t("transfer.person_id")), byId),
  );

  const targets = () => {
    const view = store.desks.get(seller)?.view;
    const found = [];
    if (groups) {
      const known =
        view?.groups ??
        (store.seller(seller)?.groups ?? []).map((group) =>
          typeof group === "string" ? { group, name: group } : { ...group, group: group.group ?? group.id },
        );
      for (const group of known) {
        const members = view?.agents.filter((agent) => agent.groups?.includes(group.group)) ?? [];
        const free = members.filter(
          (agent) =>
            agent.status === "online" &&
            agent.held < agent.capacity &&
            agent.sub_account !== record.conversation.agent?.id,
        ).length;
        found.push({
          key: `g:${group.group}`,
          to: { group: group.group },
          name: group.name ?? group.group,
          detail: view ? t("transfer.group_detail", { free, waiting: group.waiting }) : "",
          rank: 0,
          free: free > 0,
        });
      }
    }
    for (const agent of view?.agents ?? []) {
      if (agent.sub_account === record.conversation.agent?.id) continue;
      const free = agent.status === "online" && agent.held < agent.capacity;
      found.push({
        key: `a:${agent.sub_account}`,
        to: { sub_account: agent.sub_account },
        name: agent.name ?? agent.sub_account,
        agent,
        rank: free ? 1 : agent.status === "online" ? 2 : agent.status === "away" ? 3 : 4,
        free,
      });
    }
    const query = search.value.trim().toLowerCase();
    return found
      .filter(
        (target) => !query || target.name.toLowerCase().includes(query) || target.key.toLowerCase().includes(query),
      )
      .sort(
        (one, other) =>
          one.rank - other.rank ||
          (one.agent?.held ?? 0) - (other.agent?.held ?? 0) ||
          one.name.localeCompare(other.name),
      );
  };

  const draw = () => {
    keyed(list, targets(), (target) => target.key, createTarget, updateTarget);
    show(blind, !store.desks.get(seller)?.view);
  };
  search.addEventListener("input", draw);
  const end = store.on(["desk"], draw);
  draw();
  return {
    element: h("div", {}, problem, search, list, blind),
    chosen() {
      const input = list.querySelector("input:checked");
      if (input) return input.closest("label").target.to;
      return byId.value.trim() ? { sub_account: byId.value.trim() } : null;
    },
    complain() {
      setText(problem, t("transfer.choose"));
      show(problem, true);
      return false;
    },
    focus: () => search.focus(),
    dispose: end,
  };
}

function createTarget(target) {
  const detail = h("span.target-detail");
  const mark = h("span.target-mark");
  const label = h(
    "label.target",
    {},
    h("input", { type: "radio", name: "target", value: target.key }),
    target.agent
      ? avatar(target.name, target.agent.sub_account, "small")
      : h("span.target-icon", {}, icon("users", 16)),
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
  if (target.agent) {
    if (label.mark.dataset.status !== target.agent.status) {
      label.mark.dataset.status = target.agent.status;
      fill(label.mark, statusMark(target.agent.status));
    }
    setText(label.detail, t("transfer.agent_detail", { held: target.agent.held, capacity: target.agent.capacity }));
  } else setText(label.detail, target.detail);
}

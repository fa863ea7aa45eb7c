// The conversations: own ones by who has waited longest, offers above them, and the tabs of what waits, runs and is over.

import { fill, h, keyed, setAttribute, setText, show } from "../../shared/dom.js";
import { icon } from "../../shared/icons.js";
import { t } from "../../shared/i18n.js";
import { buyerName } from "../store.js";
import { TABS, tabSource } from "../tabs.js";
import { offerCard } from "./offer.js";
import { ROW_HEIGHT, createRow, tickRow, updateRow } from "./row.js";
import { emptyState, statusBar } from "./status.js";

const OVERSCAN = 6;

export function listPane(app) {
  const { store, actions } = app;
  const status = statusBar(app);
  const offers = h("div.offers", { role: "region", "aria-label": t("offers.label") });
  const filter = h("input.input.filter", {
    type: "search",
    placeholder: t("list.filter"),
    "aria-label": t("list.filter"),
  });
  const inner = h("div.rows", { role: "listbox", "aria-label": t("list.label"), tabindex: "0" });
  const scroller = h("div.scroller", {}, inner);
  const empty = h("div.empty-slot");
  const tabs = tabSource(app);
  const state = { tab: app.tab ?? "mine", records: [], query: "" };

  const tabButtons = TABS.map((tab) => {
    const count = h("span.tab-count");
    const button = h(
      "button.tab",
      { type: "button", role: "tab", id: `tab-${tab}`, on: { click: () => choose(tab) } },
      t(`tab.${tab}`),
      count,
    );
    return { tab, button, count };
  });
  const tabBar = h(
    "div.tabs",
    { role: "tablist", "aria-label": t("tab.label") },
    tabButtons.map((one) => one.button),
  );
  tabBar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const open = tabButtons.filter((one) => !one.button.hidden);
    const index = open.findIndex((one) => one.tab === state.tab);
    const next = open[(index + step + open.length) % open.length];
    choose(next.tab);
    next.button.focus();
  });

  const choose = (tab) => {
    state.tab = app.tab = tab;
    scroller.scrollTop = 0;
    tabs.open(tab);
    refresh();
  };

  const refresh = () => {
    const query = state.query;
    let records = tabs.records(state.tab);
    if (query) records = records.filter((record) => matches(record, query, store));
    state.records = records;
    for (const { tab, button, count } of tabButtons) {
      show(button, tabs.allowed(tab));
      setAttribute(button, "aria-selected", String(tab === state.tab));
      setAttribute(button, "tabindex", tab === state.tab ? "0" : "-1");
      setText(count, tabs.count(tab));
    }
    keyed(
      offers,
      store.offers(),
      (record) => record.id,
      (record) => offerCard(app, record),
      (card) => card.update(),
    );
    inner.style.setProperty("height", `${records.length * ROW_HEIGHT}px`);
    show(inner, records.length > 0);
    show(empty, records.length === 0);
    if (records.length === 0) fill(empty, emptyList(state, store, tabs));
    draw();
  };

  /** Only the rows in sight exist as elements. */
  const draw = () => {
    const from = Math.max(0, Math.floor(scroller.scrollTop / ROW_HEIGHT) - OVERSCAN);
    const to = Math.min(
      state.records.length,
      Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW_HEIGHT) + OVERSCAN,
    );
    const visible = state.records.slice(from, to).map((record, index) => ({ record, index: from + index }));
    const selected = visible.some((item) => item.record.id === store.selected);
    keyed(
      inner,
      visible,
      (item) => item.record.id,
      (item) => createRow(item.record, () => actions.show(item.record.id).then(pushOnPhone)),
      (row, item) => updateRow(row, item, state.records.length, app),
    );
    setAttribute(inner, "aria-activedescendant", selected ? `row-${store.selected}` : null);
    tabs.previews(visible.map((item) => item.record));
    if (to === state.records.length) tabs.more(state.tab);
  };

  const step = (by) => {
    if (state.records.length === 0) return;
    const index = state.records.findIndex((record) => record.id === store.selected);
    const next =
      index < 0 ? (by > 0 ? 0 : state.records.length - 1) : Math.min(state.records.length - 1, Math.max(0, index + by));
    actions.show(state.records[next].id);
    reveal(next);
  };
  const reveal = (index) => {
    const top = index * ROW_HEIGHT;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = top + ROW_HEIGHT - scroller.clientHeight;
  };

  inner.addEventListener("keydown", (event) => {
    if (event.altKey) return;
    const by = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity, PageDown: 8, PageUp: -8 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      step(by);
    } else if (event.key === "Enter" && store.selected) {
      event.preventDefault();
      pushOnPhone();
      app.commands.reply?.();
    }
  });
  scroller.addEventListener("scroll", draw, { passive: true });
  const find = () => {
    state.query = filter.value.trim().toLowerCase();
    refresh();
  };
  filter.value = app.query ?? "";
  state.query = filter.value.toLowerCase();
  app.query = "";
  filter.addEventListener("input", find);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && state.records[0]) actions.show(state.records[0].id);
    if (event.key === "Escape") {
      filter.value = "";
      find();
    }
  });
  app.commands.next = () => step(1);
  app.commands.previous = () => step(-1);
  app.commands.filter = () => filter.focus();
  app.commands.accept = () => store.offers()[0] && actions.accept(store.offers()[0]);
  app.commands.decline = () => store.offers()[0] && actions.decline(store.offers()[0]);

  const resized = new ResizeObserver(draw);
  resized.observe(scroller);
  const ticking = setInterval(() => {
    for (const row of inner.children) tickRow(row, app);
    for (const card of offers.children) card.tick();
  }, 1000);
  const ends = [store.on(["list", "selected", "desk", "identity"], refresh)];
  choose(state.tab);
  return {
    element: h(
      "section.list-pane",
      { "aria-label": t("nav.chat") },
      status.element,
      offers,
      h("div.list-tools", {}, tabBar, h("div.filter-box", {}, icon("search", 15), filter)),
      h("div.list-body", { role: "tabpanel", "aria-label": t("list.label") }, scroller, empty),
    ),
    focus: () => inner.focus(),
    dispose() {
      clearInterval(ticking);
      resized.disconnect();
      status.dispose();
      tabs.dispose();
      ends.forEach((end) => end());
    },
  };
}

/** On a phone the thread is a page of its own, left by the browser's back. */
function pushOnPhone() {
  if (matchMedia("(max-width: 760px)").matches && history.state?.thread !== true)
    history.pushState({ thread: true }, "");
}

function matches(record, query, store) {
  const { conversation } = record;
  const last = record.thread.lastSpoken();
  const fields = [
    buyerName(conversation, (id) => id),
    conversation.buyer?.id,
    conversation.id,
    store.groupName(conversation.seller, conversation.group),
    conversation.agent?.name ?? conversation.agent?.id,
    last?.body?.text,
    ...Object.values(conversation.context ?? {}),
  ];
  return fields.some((field) => typeof field === "string" && field.toLowerCase().includes(query));
}

function emptyList(state, store, tabs) {
  if (state.query) return emptyState("search", t("list.none_found"));
  // Above it somebody is offered: that nobody waits would not be true.
  if (state.tab === "mine" && store.offers().length > 0) return null;
  if (store.connection.state !== "open" || tabs.loading(state.tab)) return h("p.muted.centered", {}, t("loading"));
  const text =
    state.tab === "mine" && store.status !== "online" ? t("list.empty_mine_away") : t(`list.empty_${state.tab}_text`);
  return emptyState(state.tab === "mine" ? "check" : "inbox", t(`list.empty_${state.tab}`), text);
}

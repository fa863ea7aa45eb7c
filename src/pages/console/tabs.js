// Which conversations stand under which tab, and the reading of those that the events do not bring.

import { t } from "../shared/i18n.js";
import { catchUp } from "../shared/thread.js";

export const TABS = ["mine", "waiting", "active", "closed"];
const STATES = { waiting: ["queued", "offered", "left_message"], active: ["active"], closed: ["closed"] };
const REFRESH_MS = 1500;
const PREVIEWS_AT_ONCE = 4;

export function tabSource(app) {
  const { store, session } = app;
  const lists = new Map();
  let open = "mine";
  let timer = 0;
  let previewing = 0;
  let readAt = 0;

  const readers = () => [
    ...new Set([...store.sellersWith("conversation.read.group"), ...store.sellersWith("conversation.read.seller")]),
  ];
  const allowed = (tab) => tab === "mine" || tab === "closed" || readers().length > 0;

  const read = async (tab, further = false) => {
    if (tab === "mine" || store.connection.state !== "open") return;
    const list = lists.get(tab) ?? { ids: [], next: [], loading: false, read: false };
    lists.set(tab, list);
    // What is being read may be older than what brought us here.
    if (list.loading) return void (list.again ||= !further);
    if (further && list.next.length === 0) return;
    list.loading = true;
    const asked = further ? list.next : requests(tab, readers());
    const pages = await Promise.all(
      asked.map((params) =>
        session
          .call("conversation.list", params, { background: true })
          .then((page) => ({ params, page }))
          .catch(() => null),
      ),
    );
    list.loading = false;
    if (list.again) {
      list.again = false;
      refreshSoon();
    }
    if (!pages.some(Boolean)) return;
    list.read = true;
    const ids = further ? list.ids : [];
    const next = [];
    for (const found of pages.filter(Boolean)) {
      for (const conversation of found.page.conversations) {
        store.keep(conversation);
        ids.push(conversation.id);
      }
      if (found.page.next) next.push({ ...found.params, cursor: found.page.next });
    }
    list.ids = [...new Set(ids)];
    list.next = next;
    store.touch("list");
  };

  /** Reads the open tab again, at most once in a while. */
  const refreshSoon = () => {
    const changes = open === "waiting" || open === "active" || (open !== "mine" && !lists.get(open)?.read);
    if (timer || !changes) return;
    timer = setTimeout(
      () => {
        timer = 0;
        readAt = Date.now();
        read(open);
      },
      Math.max(0, readAt + REFRESH_MS - Date.now()),
    );
  };
  const end = session.onListsChanged(refreshSoon);
  // Where there is no board to subscribe to, nothing tells that the queue has moved.
  const polling = setInterval(() => store.sellersWith("desk.view").length === 0 && refreshSoon(), 10000);

  return {
    allowed,
    open(tab) {
      open = tab;
      read(tab);
    },
    records: (tab) => (tab === "mine" ? byWait(store.mine()) : stored(store, lists.get(tab), tab)),
    count: (tab) =>
      tab === "mine" ? store.mine().length : tab === "waiting" ? waitingCount(store, lists.get(tab)) : "",
    loading: (tab) => tab !== "mine" && !lists.get(tab)?.read,
    more: (tab) => read(tab, true),
    /** Reads the last messages of rows in sight, a few at a time. */
    previews(records) {
      for (const record of records) {
        if (previewing >= PREVIEWS_AT_ONCE) return;
        if (record.preview !== "idle" || record.thread.loaded || !(record.conversation.last_seq > 0)) continue;
        if (!readable(store, record) || store.connection.state !== "open") continue;
        record.preview = "loading";
        previewing += 1;
        catchUp(record.thread, record.id, session.readQuietly, record.conversation.last_seq)
          .then(() => (record.preview = "ready"))
          .catch(({ kind }) => (record.preview = kind === "disconnected" ? "idle" : "failed"))
          .finally(() => {
            previewing -= 1;
            store.changed(record);
          });
      }
    },
    dispose() {
      clearTimeout(timer);
      clearInterval(polling);
      end();
    },
  };
}

function requests(tab, sellers) {
  if (tab === "closed") return [{ state: "closed", limit: 50 }];
  return sellers.flatMap((seller) => STATES[tab].map((state) => ({ seller, state, limit: 100 })));
}

/** Whether the history may be read without asking in vain: what one holds, and what one's scopes open. */
function readable(store, { conversation }) {
  const { seller, group, agent } = conversation;
  if (agent?.id === store.me || store.may(seller, "conversation.read.seller")) return true;
  return store.may(seller, "conversation.read.group") && store.seller(seller).groups.includes(group);
}

/** Who waits longest for an answer first; then what moved last. */
function byWait(records) {
  return records.sort((one, other) => {
    if (one.waitingSince && other.waitingSince)
      return one.waitingSince < other.waitingSince
        ? -1
        : one.waitingSince > other.waitingSince
          ? 1
          : compareIds(one, other);
    if (one.waitingSince) return -1;
    if (other.waitingSince) return 1;
    return lastAt(other) < lastAt(one) ? -1 : lastAt(other) > lastAt(one) ? 1 : compareIds(one, other);
  });
}

function compareIds(one, other) {
  return one.id < other.id ? -1 : 1;
}

function lastAt(record) {
  const { messages } = record.thread;
  return messages.length > 0
    ? messages[messages.length - 1].at
    : (record.conversation.assigned_at ?? record.conversation.started_at);
}

function stored(store, list, tab) {
  const records = (list?.ids ?? [])
    .map((id) => store.record(id))
    .filter((record) => record && STATES[tab].includes(record.conversation.state));
  if (tab === "closed")
    return records.sort((one, other) =>
      (one.conversation.closed_at ?? "") > (other.conversation.closed_at ?? "") ? -1 : 1,
    );
  const rank = (record) => (record.conversation.state === "left_message" ? 1 : 0);
  return records.sort(
    (one, other) => rank(one) - rank(other) || (one.conversation.started_at < other.conversation.started_at ? -1 : 1),
  );
}

function waitingCount(store, list) {
  let count = 0;
  let known = false;
  for (const desk of store.desks.values()) {
    if (!desk.view) continue;
    known = true;
    for (const group of desk.view.groups) count += group.waiting + group.left_messages;
  }
  if (!known) count = list?.ids.length ?? 0;
  return count || "";
}

/** What a state is called in a row. */
export function stateName(conversation) {
  return t(`state.${conversation.state}`);
}

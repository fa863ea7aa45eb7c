// The last hours of a desk, read back from its conversations: who waited, who was served, how soon they were answered.

import { fill, h, setText, show } from "../../shared/dom.js";
import { svg } from "../../shared/icons.js";
import { clockTime, duration, number, t } from "../../shared/i18n.js";

const HOURS = 6;
const BIN_MS = 600000;
const PAGES_MAX = 5;
const HEIGHT = 190;
const EDGE = { left: 34, right: 40, top: 12, bottom: 24 };

export function deskChart(app) {
  const { store, session } = app;
  const picture = h("div.chart-picture");
  const reading = h("p.chart-reading.muted", { role: "status" });
  const legend = h(
    "ul.legend",
    {},
    h("li.waiting", {}, t("chart.waiting")),
    h("li.served", {}, t("chart.served")),
    h("li.reply", {}, t("chart.reply")),
  );
  const element = h(
    "div.panel.chart",
    {},
    h("div.chart-head", {}, h("h2", {}, t("chart.title", { hours: HOURS })), legend),
    picture,
    reading,
  );
  const data = new Map();
  let seller = null;
  let timer = 0;

  const open = (id) => {
    seller = id;
    clearInterval(timer);
    if (!id) return;
    read();
    timer = setInterval(read, 60000);
  };

  const read = async () => {
    const asked = seller;
    if (!asked || store.connection.state !== "open") return;
    const from = store.now() - HOURS * 3600000;
    const found = new Map();
    let cursor;
    let complete = false;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const params = cursor ? { seller: asked, limit: 200, cursor } : { seller: asked, limit: 200 };
      let result;
      try {
        result = await session.call("conversation.list", params, { background: true });
      } catch {
        // What was read before is better than nothing.
        if (found.size === 0) return;
        break;
      }
      for (const conversation of result.conversations) found.set(conversation.id, conversation);
      cursor = result.next;
      const oldest = result.conversations[result.conversations.length - 1];
      complete = !cursor || Date.parse(oldest?.started_at) < from;
      if (complete) break;
    }
    const entry = entryOf(asked);
    entry.bins = binned([...found.values()], from, store.now());
    entry.complete = complete;
    if (asked === seller) draw();
  };

  const entryOf = (id) => {
    if (!data.has(id)) data.set(id, { bins: [], complete: true });
    return data.get(id);
  };

  const draw = () => {
    const entry = entryOf(seller);
    const width = Math.max(280, picture.clientWidth);
    fill(picture, entry.bins.length > 0 ? chart(entry, width) : null);
    const now = entry.bins[entry.bins.length - 1];
    const served = entry.bins.reduce((total, bin) => total + bin.served, 0);
    const reply = entry.bins.findLast((bin) => bin.reply !== null);
    setText(
      reading,
      now
        ? t("chart.reading", {
            served: number(served),
            waiting: number(now.waiting),
            reply: reply ? duration(reply.reply) : "–",
            partial: entry.complete ? "" : t("chart.partial"),
          })
        : t("chart.none"),
    );
    show(reading, true);
  };

  // One unit of the picture is one pixel, so that its words are as large as all others.
  const resized = new ResizeObserver(() => seller && data.has(seller) && draw());
  resized.observe(picture);
  return {
    element,
    open,
    dispose() {
      clearInterval(timer);
      resized.disconnect();
    },
  };
}

/** Per ten minutes: how many were taken, how many waited, and the median of how soon those answered then had their first reply. */
function binned(conversations, from, now) {
  const bins = [];
  for (let at = Math.floor(from / BIN_MS) * BIN_MS; at < now; at += BIN_MS) bins.push({ at, served: 0, waiting: 0, replies: [] });
  const index = (time) => Math.floor((time - bins[0].at) / BIN_MS);
  for (const conversation of conversations) {
    const started = Date.parse(conversation.started_at);
    const assigned = conversation.assigned_at ? Date.parse(conversation.assigned_at) : null;
    const answered = conversation.first_reply_at ? Date.parse(conversation.first_reply_at) : null;
    bins[index(answered)]?.replies.push((answered - started) / 1000);
    const ended = assigned ?? (conversation.closed_at ? Date.parse(conversation.closed_at) : now);
    if (assigned !== null && bins[index(assigned)]) bins[index(assigned)].served += 1;
    if (conversation.state === "left_message" || ended - started < 1000) continue;
    for (let bin = Math.max(0, index(started)); bin <= Math.min(bins.length - 1, index(ended)); bin += 1)
      bins[bin].waiting += 1;
  }
  return bins.map((bin) => ({ ...bin, reply: median(bin.replies) }));
}

function median(values) {
  if (values.length === 0) return null;
  const sorted = values.sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

function chart({ bins }, width) {
  const from = bins[0].at;
  const to = bins[bins.length - 1].at + BIN_MS;
  const top = niceTop(Math.max(4, ...bins.map((bin) => Math.max(bin.served, bin.waiting))));
  const answered = bins.filter((bin) => bin.reply !== null);
  const replyTop = niceTime(Math.max(60, ...answered.map((bin) => bin.reply)));
  const x = (at) => EDGE.left + ((at - from) / (to - from)) * (width - EDGE.left - EDGE.right);
  const y = (value, most) => HEIGHT - EDGE.bottom - (value / most) * (HEIGHT - EDGE.top - EDGE.bottom);
  const root = svg("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`,
    width,
    height: HEIGHT,
    role: "img",
    "aria-label": t("chart.title", { hours: HOURS }),
    class: "chart-svg",
  });
  for (const part of [0, 0.5, 1]) {
    const line = y(top * part, top);
    root.append(
      svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: line, y2: line, class: "grid" }),
      text(EDGE.left - 6, line + 4, Math.round(top * part), "end"),
    );
    if (answered.length > 0)
      root.append(text(width - EDGE.right + 6, line + 4, duration(replyTop * part), "start", "reply-axis"));
  }
  for (let at = Math.ceil(from / 3600000) * 3600000; at < to; at += 3600000)
    root.append(text(x(at), HEIGHT - 6, clockTime(at), "middle"));
  const step = x(bins[0].at + BIN_MS) - x(bins[0].at);
  for (const bin of bins) {
    const height = HEIGHT - EDGE.bottom - y(bin.served, top);
    if (height > 0)
      root.append(
        svg("rect", {
          x: x(bin.at) + step * 0.18,
          y: y(bin.served, top),
          width: step * 0.64,
          height,
          rx: 2,
          class: "bar",
        }),
      );
  }
  root.append(svg("path", { d: steps(bins, x, (value) => y(value, top)), class: "waiting-line" }));
  // Ten minutes without an answer break the line: nothing is known of them.
  let run = [];
  for (const bin of [...bins, { reply: null }]) {
    if (bin.reply !== null) {
      run.push([x(bin.at + BIN_MS / 2).toFixed(1), y(bin.reply, replyTop).toFixed(1)]);
      continue;
    }
    if (run.length > 1) root.append(svg("polyline", { points: run.join(" "), class: "reply-line" }));
    for (const [cx, cy] of run) root.append(svg("circle", { cx, cy, r: 3, class: "reply-dot" }));
    run = [];
  }
  return root;
}

function steps(bins, x, y) {
  return bins
    .map(
      (bin, index) =>
        `${index === 0 ? "M" : "L"}${x(bin.at).toFixed(1)} ${y(bin.waiting).toFixed(1)} L${x(bin.at + BIN_MS).toFixed(1)} ${y(bin.waiting).toFixed(1)}`,
    )
    .join(" ");
}

function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 4, 5, 10]) if (factor * power >= value) return factor * power;
  return 10 * power;
}

/** The next length of time that people say: whole minutes, fives, half hours, hours. */
function niceTime(seconds) {
  const steps = [60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400];
  return steps.find((step) => step >= seconds) ?? Math.ceil(seconds / 14400) * 14400;
}

function text(x, y, content, anchor, kind = "") {
  const element = svg("text", { x, y, "text-anchor": anchor, class: `axis ${kind}`.trim() });
  element.textContent = String(content);
  return element;
}

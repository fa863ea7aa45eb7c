// The people of the tests, each in a browser context of its own, and crowds that need no window.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const CONSOLE = { viewport: { width: 1440, height: 860 } };
const PHONE = { viewport: { width: 390, height: 780 } };

export async function people(daemon) {
  const browser = await chromium.launch({
    executablePath: execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
    args: ARGUMENTS,
  });
  const problems = [];

  /** `script` runs in every page of the person before the page's own; `wire` is put between the page and the server. */
  const person = async ({ script, wire, ...options } = {}) => {
    const context = await browser.newContext({ ...CONSOLE, locale: "en-GB", colorScheme: "light", ...options });
    if (script) await context.addInitScript(script);
    const page = await context.newPage();
    await wire?.through(page);
    page.setDefaultTimeout(8000);
    page.on("pageerror", (error) => problems.push(error.message));
    // Whoever frames a page that is not for it is told so in the console; anything else is a fault of ours.
    page.on("console", (message) => {
      const text = message.text();
      if (text.includes("Content Security Policy") && !text.startsWith("Framing")) problems.push(text);
    });
    return page;
  };
  const agent = async (id, options) => {
    const page = await person(options);
    await page.goto(`${daemon.url}/console#token=${daemon.token("staff", id)}`);
    await page.locator(".status-button").waitFor();
    return page;
  };
  const buyer = async (id, options) => {
    const page = await person({ ...PHONE, ...options });
    await page.goto(`${daemon.url}/buyer?shop=shop-881#token=${daemon.sign({ role: "buyer", sub: id, name: id })}`);
    return page;
  };
  /** A page of the daemon's own origin, from which sessions without a window are opened. */
  const crowd = async () => {
    const page = await person();
    await page.goto(`${daemon.url}/livez`);
    await page.evaluate(defineSession);
    return page;
  };
  return { browser, problems, person, agent, buyer, crowd };
}

/** Runs in a page: `openSession(token)` gives a session with `call(method, params)`. */
function defineSession() {
  window.openSession = (token, status) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${location.host}/ws`, ["fenliu.v1"]);
      const waiting = new Map();
      let last = 0;
      const session = {
        events: [],
        call: (method, params) =>
          new Promise((done, failed) => {
            waiting.set((last += 1), { done, failed });
            socket.send(JSON.stringify({ jsonrpc: "2.0", id: last, method, params }));
          }),
        close: () => socket.close(),
      };
      socket.onmessage = ({ data }) => {
        const { id, result, error, method, params } = JSON.parse(data);
        if (method) return session.events.push({ method, params });
        const { done, failed } = waiting.get(id);
        waiting.delete(id);
        if (error) failed(new Error(`${error.code} ${error.message} ${JSON.stringify(error.data)}`));
        else done(result);
      };
      socket.onerror = () => reject(new Error("no connection"));
      socket.onopen = () =>
        session
          .call("session.open", status ? { token, status } : { token })
          .then((result) => resolve(Object.assign(session, { opened: result })), reject);
    });
}

/** A line to the server that can be cut and mended, and on which answers can get lost. */
export function wire() {
  const pairs = new Set();
  let whole = true;
  let losing = null;
  let holding = null;
  return {
    /** Every frame that a page has sent, and every one that has come for it, also if it is held back; as text. */
    sent: [],
    heard: [],
    heardBefore: [],
    through(page) {
      return page.routeWebSocket(/\/ws$/, (socket) => {
        if (!whole) return socket.close({ code: 1011, reason: "cut" });
        const server = socket.connectToServer();
        const pair = { socket, server };
        pairs.add(pair);
        let lost = null;
        let held = null;
        socket.onMessage((text) => {
          this.sent.push(text);
          this.heardBefore.push(this.heard.length);
          const { id, method } = JSON.parse(text);
          if (method === losing) lost = id;
          if (method === holding?.method) held ??= { id, until: holding.until };
          server.send(text);
        });
        server.onMessage((text) => {
          const { id, method } = JSON.parse(text);
          this.heard.push(text);
          if (lost !== null && id === lost) {
            losing = null;
            return this.cut();
          }
          if (held && id === held.id) return (held.answer = text);
          socket.send(text);
          if (!held || method !== held.until) return;
          if (held.answer) socket.send(held.answer);
          held = holding = null;
        });
        server.onClose((code, reason) => (pairs.delete(pair), socket.close({ code, reason })));
      });
    },
    cut() {
      whole = false;
      holding = null;
      for (const { socket, server } of pairs) {
        socket.close({ code: 1011, reason: "cut" });
        server.close({ code: 1000 });
      }
      pairs.clear();
    },
    mend() {
      whole = true;
    },
    /** The server's next answer to this method never arrives, and nothing does any more. */
    loseAnswerTo(method) {
      losing = method;
    },
    /** The server's next answer to this method arrives only after the event `until`, or when it is let go. */
    holdAnswerTo(method, until) {
      holding = { method, until };
    },
    /** The answer to the last request with these words in it, if it has come. */
    answerTo(words) {
      const at = this.sent.findLastIndex((text) => text.includes(words));
      if (at < 0) return undefined;
      const { id } = JSON.parse(this.sent[at]);
      return this.heard.slice(this.heardBefore[at]).find((text) => JSON.parse(text).id === id);
    },
  };
}

/**
 * Runs outside: a buyer starts, and stays as `window.buyers[id]` with `say(text)`, `close()` and `history()`; its id is given.
 * `source` is what the bindings look at.
 */
export async function startAs({ id, token, source, text = "hello" }) {
  const session = await window.openSession(token);
  const body = (words) => ({ client_id: crypto.randomUUID(), body: { type: "text", text: words } });
  const { conversation } = await session.call("conversation.start", {
    shop: "shop-881",
    context: { source },
    message: body(text),
  });
  const here = { conversation: conversation.id };
  (window.buyers ??= {})[id] = {
    say: (words) => session.call("message.send", { ...here, ...body(words) }),
    close: () => session.call("conversation.close", here),
    history: () => session.call("message.history", here).then(({ messages }) => messages),
    leave: () => session.close(),
  };
  return conversation.id;
}

export async function say(page, text) {
  await page.locator("textarea").fill(text);
  await page.keyboard.press("Enter");
  await page
    .locator(".message", { hasText: text.slice(0, 20) })
    .first()
    .waitFor();
}

/** No serious fault for assistive technology, and enough contrast in either colour scheme. `frame`: the part of the page that is looked at. */
export async function accessible(page, frame = page) {
  await frame.evaluate(AXE);
  const faults = await frame.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await frame.evaluate(() => window.axe.run({ runOnly: ["color-contrast"], resultTypes: ["violations"] }));
  await page.emulateMedia({ colorScheme: "light" });
  const serious = [...faults.violations, ...dark.violations]
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 160)}`);
  expect(serious.length === 0, serious.join("; "));
}

export function expect(holds, words) {
  if (!holds) throw new Error(words);
}

/** Waits until `holds()` gives something true, and gives it. */
export async function until(holds, words, milliseconds = 8000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(words);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

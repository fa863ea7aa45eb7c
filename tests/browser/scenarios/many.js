// Five hundred conversations with one agent, and messages in many of them at once.

import { expect } from "../people.js";

const CONVERSATIONS = 500;
const LIVE = 20;
const LONG_MS = 50;

export function many(world) {
  const { browser, daemon, agent, crowd } = world;

  return {
    "five hundred conversations stay smooth while messages arrive": async () => {
      const quan = await agent("quan");
      await quan.getByRole("button", { name: "Go online" }).click();
      const outside = await crowd();
      const tokens = Array.from({ length: CONVERSATIONS }, (_, n) =>
        daemon.sign({ role: "buyer", sub: `c${n}`, name: `Buyer ${n}` }),
      );
      await outside.evaluate(startAll, { tokens, live: LIVE });
      await quan.getByRole("tab", { name: new RegExp(`Mine ${CONVERSATIONS}`) }).waitFor({ timeout: 20000 });
      await quan.bringToFront();
      await quan.waitForFunction(() => document.querySelectorAll(".row-timer.waiting").length > 8, null, {
        timeout: 20000,
      });
      expect((await quan.locator(".row").count()) < 60, "rows out of sight are elements");

      await browser.startTracing(quan, { categories: ["toplevel"] });
      await Promise.all([quan.evaluate(scrollFor, 3000), outside.evaluate(writeFor, 3000)]);
      const tasks = tasksIn(JSON.parse(await browser.stopTracing()));
      expect(tasks.length > 100, "the trace shows no tasks");
      const long = tasks.filter((milliseconds) => milliseconds > LONG_MS);
      expect(long.length === 0, `tasks of ${long.map((one) => one.toFixed()).join(", ")} ms`);
      await quan.context().close();
    },
  };
}

/** Runs outside: every buyer starts; some stay. One after another, since a browser holds back sockets opened at once. */
async function startAll({ tokens, live }) {
  window.live = [];
  for (const token of tokens) {
    const session = await window.openSession(token);
    const body = { type: "text", text: "Which one would you take?" };
    const message = { client_id: crypto.randomUUID(), body };
    const params = { shop: "shop-881", context: { source: "crowd" }, message };
    const { conversation } = await session.call("conversation.start", params);
    if (window.live.length < live) window.live.push({ session, id: conversation.id });
    else session.close();
  }
}

/** Runs outside: about forty messages a second in those that stayed. */
async function writeFor(milliseconds) {
  const end = Date.now() + milliseconds;
  for (let n = 0; Date.now() < end; n += 1) {
    const { session, id } = window.live[n % window.live.length];
    const body = { type: "text", text: `And what about number ${n}?` };
    session.call("message.send", { conversation: id, client_id: crypto.randomUUID(), body });
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Runs in the console: the list is scrolled. */
async function scrollFor(milliseconds) {
  const scroller = document.querySelector(".scroller");
  const end = Date.now() + milliseconds;
  while (Date.now() < end) {
    scroller.scrollTop = (scroller.scrollTop + 240) % 8000;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}

/** How long each task of the pages' main threads ran, in milliseconds: what it was held up by a busy machine left out. */
function tasksIn({ traceEvents }) {
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const main = new Set(threads.map(({ pid, tid }) => `${pid}:${tid}`));
  return traceEvents
    .filter(({ ph, name, pid, tid }) => ph === "X" && name.endsWith("RunTask") && main.has(`${pid}:${tid}`))
    .map(({ tdur, dur }) => (tdur ?? dur) / 1000);
}

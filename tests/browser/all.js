// Runs every scenario, in order: what people do, in a real browser against a real daemon.

import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { freePort, startDaemon } from "./daemon.js";
import { expect, people } from "./people.js";
import { alerts } from "./scenarios/alerts.js";
import { day } from "./scenarios/day.js";
import { desk } from "./scenarios/desk.js";
import { keys } from "./scenarios/keys.js";
import { leading } from "./scenarios/leading.js";
import { line } from "./scenarios/line.js";
import { many } from "./scenarios/many.js";
import { reach } from "./scenarios/reach.js";
import { signin } from "./scenarios/signin.js";
import { states } from "./scenarios/states.js";
import { timers } from "./scenarios/timers.js";
import { widget } from "./scenarios/widget.js";
import { words } from "./scenarios/words.js";

/** A shop's page; what follows `?` is the script that its backend would have put there. */
function shopPage(daemon) {
  return (request, response) => {
    const settings = decodeURIComponent(new URL(request.url, "http://shop").search.slice(1));
    const tag = `<script src="${daemon.url}/widget.js" data-shop="shop-881" data-title="Tea House"></script>`;
    response.setHeader("content-type", "text/html");
    response.end(
      `<!doctype html><style>div, iframe { height: 80px; border: 3px solid }</style><h1>Tea</h1><script>${settings}</script>${tag}`,
    );
  };
}

/** A world of its own: a daemon, a browser, a shop's page that may hold the chat and one that may not. */
async function world(scenariosOf) {
  const ports = [await freePort(), await freePort()];
  const [home, foreign] = ports.map((port) => `http://127.0.0.1:${port}`);
  const daemon = await startDaemon({ routing, origin: home });
  const hosts = ports.map((port) => createServer(shopPage(daemon)).listen(port, "127.0.0.1"));
  const everybody = await people(daemon);
  const here = { daemon, home, foreign, ...everybody };
  const scenarios = Object.assign({}, ...scenariosOf.map((scenarios) => scenarios(here)));
  return {
    scenarios: { ...scenarios, "no page failed, and none was stopped by its own policy": () => expect(everybody.problems.length === 0, everybody.problems.join("; ")) },
    async end() {
      await everybody.browser.close();
      hosts.forEach((host) => host.close());
      await daemon.end();
    },
  };
}

let passed = 0;
let failed = 0;

async function run({ scenarios }) {
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (!name.includes(only)) continue;
    const started = Date.now();
    try {
      await scenario();
      passed += 1;
      console.log(`ok      ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error.message.split("\n").slice(0, 4).join(" ")}`);
    }
  }
}

const only = process.argv[2] ?? "";
const routing = fileURLToPath(new URL("routing", import.meta.url));
// Two worlds at once, since each waits for most of its time.
const worlds = await Promise.all([world([day, desk, alerts, reach, widget]), world([words, line, leading, keys, timers, signin, states, many])]);
await Promise.all(worlds.map(run));
for (const { end } of worlds) await end();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

// One real daemon on free ports with its own configuration, data and secret.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = process.env.FENLIU_BIN;
// The daemon refuses variables of its prefix that it does not know.
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("FENLIU")));

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const routing = (origin) => `
[[account]]
id = "lin"
platform = "douyin"
kind = "certified_enterprise"
certified_until = 2099-01-01
[[sub_account]]
id = "mei"
name = "Mei"
kind = "staff"
capacity = 8
[[sub_account]]
id = "bo"
name = "Bo"
kind = "staff"
capacity = 8
[[seller]]
id = "tea"
name = "Lin's Tea House"
account = "lin"
licence_name = "Lin's Tea House"
shop = "shop-881"
origins = ["${origin}"]
default_group = "presale"
main_account_fallback = false
  [[seller.authorization]]
  sub_account = "mei"
  role = "agent"
  [[seller.authorization]]
  sub_account = "bo"
  role = "lead"
  [[seller.group]]
  id = "presale"
  name = "Before the sale"
  members = ["mei", "bo"]
  [[seller.group]]
  id = "asked"
  name = "Asked first"
  members = ["bo"]
  assignment = "offer"
  offer_timeout = "20s"
  [[seller.binding]]
  id = "ask"
  when = { keyword = "please ask" }
  to = { group = "asked" }
`;

export async function startDaemon({ origin }) {
  const home = mkdtempSync(join(tmpdir(), "fenliu-browser-"));
  const port = await freePort();
  const admin = await freePort();
  mkdirSync(join(home, "routing"));
  writeFileSync(join(home, "routing", "shop.toml"), routing(origin));
  const settings = join(home, "fenliu.toml");
  writeFileSync(
    settings,
    `[server]\nlisten = "127.0.0.1:${port}"\nadmin_listen = "127.0.0.1:${admin}"\n[auth]\nvisitors = true\n[store]\npath = "${join(home, "data")}"\n[routing]\npath = "${join(home, "routing")}"\n`,
  );
  const daemon = { url: `http://127.0.0.1:${port}`, child: null };
  daemon.start = async () => {
    daemon.child = spawn(BIN, ["serve", "--dev", "--config", settings], { cwd: home, env: ENVIRONMENT, stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    daemon.child.stderr.on("data", (data) => (words = (words + data).slice(-4000)));
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if ((await fetch(`${daemon.url}/livez`).catch(() => null))?.ok) return;
      if (daemon.child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the daemon does not answer: ${words}`);
  };
  daemon.kill = () => new Promise((resolve) => (daemon.child.once("exit", resolve), daemon.child.kill("SIGKILL")));
  daemon.token = (role, id, name = id) => execFileSync(BIN, ["token", "--config", settings, "--role", role, "--sub", id, "--name", name], { cwd: home, env: ENVIRONMENT, encoding: "utf8" }).trim();
  daemon.end = async () => {
    if (daemon.child?.exitCode === null) await daemon.kill();
    rmSync(home, { recursive: true, force: true });
  };
  await daemon.start();
  return daemon;
}

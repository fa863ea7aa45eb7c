// One real daemon on free ports with its own configuration, data and secret.

import { execFileSync, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = process.env.FENLIU_BIN;
const SECRET = "for the browser's tests and for nothing else";
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

/** `routing` is a directory of routing files, in which ORIGIN stands for `origin`, the page that may embed the chat. */
export async function startDaemon({ routing, origin }) {
  const home = mkdtempSync(join(tmpdir(), "fenliu-browser-"));
  const [port, admin] = [await freePort(), await freePort()];
  const settings = join(home, "fenliu.toml");
  cpSync(routing, join(home, "routing"), { recursive: true });
  for (const name of readdirSync(join(home, "routing"))) {
    const file = join(home, "routing", name);
    writeFileSync(file, readFileSync(file, "utf8").replace(/https:\/\/tea\.example|ORIGIN/g, origin));
  }
  writeFileSync(settings, settingsText({ home, port, admin }));

  const daemon = { url: `http://127.0.0.1:${port}`, child: null };
  daemon.start = async () => {
    daemon.child = spawn(BIN, ["serve", "--dev", "--config", settings], {
      cwd: home,
      env: ENVIRONMENT,
      stdio: ["ignore", "ignore", "pipe"],
    });
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
  /** Asks it to drain and to end. */
  daemon.stop = () => new Promise((resolve) => (daemon.child.once("exit", resolve), daemon.child.kill("SIGTERM")));
  /** Changes the routing files and has them read again. */
  daemon.reload = (change) => {
    for (const name of readdirSync(join(home, "routing"))) {
      const file = join(home, "routing", name);
      writeFileSync(file, change(readFileSync(file, "utf8")));
    }
    daemon.child.kill("SIGHUP");
  };
  /** A token as the daemon itself makes it. */
  daemon.token = (role, id, name = id) =>
    execFileSync(BIN, ["token", "--config", settings, "--role", role, "--sub", id, "--name", name], {
      cwd: home,
      env: ENVIRONMENT,
      encoding: "utf8",
    }).trim();
  daemon.sign = sign;
  daemon.end = async () => {
    if (daemon.child?.exitCode === null) await daemon.kill();
    rmSync(home, { recursive: true, force: true });
  };
  await daemon.start();
  return daemon;
}

function settingsText({ home, port, admin }) {
  return `
[server]
listen = "127.0.0.1:${port}"
admin_listen = "127.0.0.1:${admin}"
[auth]
hs256_secret = "${SECRET}"
visitors = true
[store]
path = "${join(home, "data")}"
[routing]
path = "${join(home, "routing")}"
[limits]
requests_per_second = 200
burst = 400
`;
}

/** A token as a shop's backend makes it: of these claims, for an hour. */
function sign(claims) {
  const text = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const body = `${text({ alg: "HS256", typ: "JWT" })}.${text({ aud: "fenliu", exp: Math.floor(Date.now() / 1000) + 3600, ...claims })}`;
  return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

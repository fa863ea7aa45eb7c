// The real daemon on free ports, with the shipped routing configuration and nothing that survives.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Starts one, with further settings. It says where it listens on its standard error. */
export async function startDaemon(bin, root, settings = {}) {
  const home = mkdtempSync(join(tmpdir(), "fenliu-clients-"));
  symlinkSync(bin, join(home, "fenliu"));
  // The daemon refuses variables of its prefix that it does not know.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("FENLIU"));
  const environment = {
    ...Object.fromEntries(inherited),
    PATH: `${home}:${dirname(process.execPath)}:${process.env.PATH}`,
    FENLIU__SERVER__LISTEN: "127.0.0.1:0",
    FENLIU__SERVER__ADMIN_LISTEN: "127.0.0.1:0",
    FENLIU__STORE__PATH: join(home, "data"),
    FENLIU__ROUTING__PATH: join(root, "config/routing"),
    ...settings,
  };
  const child = spawn(bin, ["serve"], { cwd: home, env: environment, stdio: ["ignore", "ignore", "pipe"] });
  const address = await new Promise((resolve, reject) => {
    let words = "";
    child.stderr.on("data", (data) => {
      words += data;
      const listens = words.match(/fenliu listens on (\S+) .*\n/);
      if (listens) resolve(listens[1]);
    });
    child.once("exit", (code) => reject(new Error(`the daemon ended with ${code}: ${words}`)));
  });
  return {
    address,
    url: `ws://${address}/ws`,
    home,
    environment,
    /** A token as the daemon itself makes it. */
    token: (role, id, ...more) =>
      execFileSync(bin, ["token", "--role", role, "--sub", id, ...more], { cwd: home, env: environment, encoding: "utf8" }).trim(),
    end: () =>
      new Promise((resolve) => {
        child.once("exit", () => {
          rmSync(home, { recursive: true, force: true });
          resolve();
        });
        child.kill("SIGKILL");
      }),
  };
}

// The README's samples, run as the README says. A block of code whose first line is a comment with a file's name is
// that file; a line `$ command` of a console block that names such a file is run, and prints what stands below it
// (`…` is anything). A command that ends with `&` goes on beside what follows.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const PATIENCE = 60_000;

/** Runs all of them; gives what went wrong. */
export async function runReadme(file, { daemon, python, here }) {
  const text = readFileSync(file, "utf8").replaceAll("127.0.0.1:8080", daemon.address);
  const folder = join(here, ".samples");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ language, code }));
  const files = blocks.flatMap(({ code }) => {
    const name = code.match(/^(?:#|\/\/) (\w+\.(?:py|mjs))\n/)?.[1];
    if (name) writeFileSync(join(folder, name), code);
    return name ?? [];
  });
  const commands = blocks
    .filter(({ language }) => language === "console")
    .flatMap(({ code }) => code.split(/^\$ /m).slice(1))
    .map((part) => ({ command: part.split("\n")[0], expected: part.split("\n").slice(1).filter(Boolean) }))
    .filter(({ command }) => files.some((name) => command.includes(name)));

  const env = { ...daemon.environment, PATH: `${dirname(python)}:${daemon.environment.PATH}` };
  const running = [];
  const faults = [];
  for (const { command, expected } of commands) {
    const beside = command.endsWith("&");
    const child = start(command.replace(/&$/, ""), { cwd: folder, env });
    running.push({ command, expected, child });
    await (beside ? child.said(expected.slice(0, 1)) : child.ended);
    if (!beside && child.code !== 0) faults.push(`${command}: ended with ${child.code}\n${child.output}`);
  }
  for (const { command, expected, child } of running) {
    if (!(await child.said(expected))) faults.push(`${command}: expected\n${expected.join("\n")}\nand got\n${child.output}`);
    child.stop();
  }
  const unused = files.filter((name) => !commands.some(({ command }) => command.includes(name)));
  faults.push(...unused.map((name) => `${name}: no command of the README runs it`));
  if (files.length < 3) faults.push(`only these samples were found: ${files}`);
  return faults;
}

function start(command, options) {
  // A process group of its own, so that what the shell has started ends with it.
  const process_ = spawn("bash", ["-c", command], { ...options, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const child = { output: "", code: null };
  let heard = () => {};
  for (const stream of [process_.stdout, process_.stderr]) {
    stream.on("data", (data) => {
      child.output += data;
      heard();
    });
  }
  const late = setTimeout(() => child.stop(), PATIENCE);
  child.ended = new Promise((resolve) =>
    process_.once("close", (code) => {
      clearTimeout(late);
      child.code ??= code ?? -1;
      heard();
      resolve();
    }),
  );
  child.stop = () => {
    clearTimeout(late);
    try {
      process.kill(-process_.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  /** Whether these lines have been printed, in this order; waits for them as long as it runs. */
  child.said = (lines) =>
    new Promise((resolve) => {
      const limit = setTimeout(() => resolve(isSaid(child.output, lines)), PATIENCE / 4);
      heard = () => {
        if (isSaid(child.output, lines) || child.code !== null) {
          clearTimeout(limit);
          resolve(isSaid(child.output, lines));
        }
      };
      heard();
    });
  return child;
}

function isSaid(output, lines) {
  const printed = output.split("\n");
  let from = 0;
  return lines.every((line) => {
    const parts = line.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const pattern = new RegExp(`^${parts.join(".*")}$`);
    const at = printed.findIndex((found, index) => index >= from && pattern.test(found));
    from = at + 1;
    return at >= 0;
  });
}

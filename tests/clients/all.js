// Runs every client, then the README's samples, each against a daemon of its own.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { startDaemon } from "./daemon.js";
import { checkDocument } from "./document.js";
import { runReadme } from "./readme.js";

const [bin, root] = process.argv.slice(2);
const here = import.meta.dirname;
const python = join(here, ".venv/bin/python");

const clients = [
  ["rpc-websockets", process.execPath, ["rpc-websockets.js"]],
  ["json-rpc-2.0", process.execPath, ["json-rpc-2.0.js"]],
  ["@open-rpc/client-js", process.execPath, ["open-rpc.js"]],
  ["jsonrpc-websocket (Python)", python, ["jsonrpc_websocket_client.py"]],
  ["jsonrpcclient (Python)", python, ["jsonrpcclient_client.py"]],
];

let [passed, failed] = [0, 0];

function report(name, { status, stdout, stderr }) {
  if (status === 0) {
    passed += 1;
    console.log(`ok      ${name}`);
  } else {
    failed += 1;
    console.log(`FAILED  ${name}\n${stdout}${stderr}`);
  }
}

const limits = { encoding: "utf8", timeout: 60_000, cwd: here };

for (const [name, command, args] of clients) {
  const daemon = await startDaemon(bin, root);
  const env = { ...daemon.environment, URL: daemon.url, STAFF: daemon.token("staff", "mei"), BUYER: daemon.token("buyer", "ann") };
  report(name, spawnSync(command, args, { ...limits, env }));
  await daemon.end();
}

const unlike = await checkDocument(bin, root);
report("the OpenRPC document", { status: unlike.length, stdout: unlike.join("\n"), stderr: "\n" });

const daemon = await startDaemon(bin, root);
const faults = await runReadme(join(root, "README.md"), { daemon, python, here });
report("the README's samples", { status: faults.length, stdout: faults.join("\n"), stderr: "\n" });
await daemon.end();

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

// A day at a shop in which every method is called and every event is told.

import assert from "node:assert/strict";

import WebSocket from "ws";

const PATIENCE = 10_000;

/** `judge` sees every result and every event. */
export async function everything(daemon, judge) {
  const join = (role, id, options) => open(daemon, judge, { token: daemon.token(role, id) }, options);
  const operator = await join("operator", "ops");
  const qing = await join("staff", "qing", { status: "online" });
  const mei = await join("staff", "mei", { status: "online" });
  const wen = await join("staff", "wen", { status: "online" });
  await qing.call("desk.view", { seller: "tea", subscribe: true });

  await talk(daemon, judge, mei);
  await beAsked(daemon, judge, wen, qing);
  await oversee(daemon, judge, { mei, qing });
  await operate(operator, qing);

  const leaving = await join("buyer", "leaving");
  await leaving.call("session.refresh", { token: daemon.token("buyer", "leaving", "--ttl", "30s") });
  await leaving.heard("session.expiring");
  await leaving.call("session.ping");
  await leaving.call("session.close");
  await operator.call("server.drain", { deadline_s: 5 });
  await qing.heard("session.draining");
}

async function talk(daemon, judge, mei) {
  const bob = await open(daemon, judge, { token: daemon.token("buyer", "bob", "--name", "Bob", "--attr", "level=gold") });
  const start = { seller: "tea", context: { product: "tea-1" }, message: text("s1", "Hello") };
  const { conversation: { id: conversation } } = await bob.call("conversation.start", start);
  assert.equal((await mei.heard("conversation.assigned")).conversation.id, conversation);

  await mei.heard("conversation.overdue");
  await mei.call("message.typing", { conversation, on: true });
  await bob.heard("message.typing");
  await mei.call("message.send", { conversation, ...text("m1", "Good day") });
  await bob.heard("message.new");
  await bob.call("message.send", { conversation, client_id: "p", body: { type: "product", id: "tea-1", title: "Tea", price: "9.90" } });
  await bob.call("message.send", { conversation, client_id: "f", body: { type: "file", url: "https://tea.example/a.pdf", size: 3 } });
  await mei.call("message.send", { conversation, ...text("n", "Likes it strong"), visibility: "staff" });
  await bob.call("message.read", { conversation, seq: 3 });
  await mei.heard("message.read");
  await mei.call("message.history", { conversation });
  await bob.call("message.history", { conversation, after: 1 });
  await mei.call("conversation.get", { conversation });

  bob.drop();
  await mei.heard("buyer.presence");
  const back = await open(daemon, judge, { token: daemon.token("buyer", "bob") });
  await mei.call("conversation.close", { conversation, reason: "done" });
  await back.heard("conversation.closed");
  await back.call("conversation.rate", { conversation, score: 5, comment: "Quick" });
  await back.call("message.send", { conversation, ...text("again", "One more thing") });
  await back.heard("conversation.reopened");
  await back.call("conversation.list");
  await mei.call("conversation.list", { seller: "tea", buyer: "bob", state: "active" });
}

async function beAsked(daemon, judge, wen, qing) {
  const eve = await open(daemon, judge, { token: daemon.token("buyer", "eve") });
  const asked = { shop: "shop-881", context: { product: "teapot-3" } };
  const { conversation: { id: conversation } } = await eve.call("conversation.start", asked);
  await wen.heard("conversation.offered");
  await wen.call("conversation.decline", { conversation, reason: "at lunch" });
  await wen.heard("conversation.offer_ended");
  await qing.call("conversation.assign", { conversation, sub_account: "wen" });
  await wen.heard("conversation.assigned");

  await wen.call("presence.set", { status: "offline", reroute: true });
  await wen.heard("conversation.unassigned");
  await eve.heard("conversation.left_message");
  await wen.call("presence.set", { status: "online" });
  await wen.heard("conversation.offered");
  await wen.call("conversation.accept", { conversation });
  await wen.call("conversation.targets", { conversation });
  await wen.call("conversation.transfer", { conversation, to: { group: "all" }, note: "Asks for tea" });
}

async function oversee(daemon, judge, { mei, qing }) {
  const visitor = await open(daemon, judge, { visitor: { shop: "shop-881" } });
  assert.ok(visitor.opened.token);
  const { conversation: { id: conversation } } = await visitor.call("conversation.start", { shop: "shop-881" });
  await visitor.heard("conversation.queued");
  await qing.call("routing.explain", { conversation });
  await qing.call("routing.explain", { seller: "tea", buyer: { id: "who", attrs: { level: ["gold"] } }, text: "Hello" });
  await qing.call("conversation.watch", { conversation, on: true });
  await mei.call("conversation.claim", { conversation, force: false }).catch((error) => assert.equal(error.data.reason, "at_capacity"));
  await qing.call("conversation.claim", { conversation });
  await qing.call("presence.set", { status: "away", sub_account: "mei", seller: "tea" });
  await mei.heard("presence.changed", ({ cause }) => cause === "set_by_other");
  await qing.heard("desk.changed", ({ groups }) => groups.length === 2);
  await qing.call("conversation.list", { seller: "tea", limit: 2 });
}

async function operate(operator, qing) {
  await operator.call("config.status");
  await operator.call("server.stats");
  await operator.call("config.reload", { dry_run: true });
  await operator.call("account.unbind", { seller: "tea", sub_account: "wen" });
  await operator.call("account.bind", { seller: "tea", sub_account: "wen" });
  await operator.call("account.unbind", { seller: "tea", sub_account: "qing" });
  await qing.heard("config.changed");
  await operator.call("rpc.discover");
}

const text = (client_id, words) => ({ client_id, body: { type: "text", text: words } });

/** A session: `call` gives a result, `heard` the next event by a name, however long ago it came. */
async function open({ url }, judge, { token, visitor }, { status } = {}) {
  const socket = new WebSocket(url, "fenliu.v1");
  const [calls, events, waiting] = [new Map(), [], new Set()];
  socket.on("message", (frame) => {
    const message = JSON.parse(frame);
    if (message.method) {
      judge.event(message.method, message.params);
      events.push(message);
      waiting.forEach((look) => look());
    } else {
      calls.get(message.id)(message);
    }
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));

  const session = {
    async call(method, params = {}) {
      const id = calls.size + 1;
      const reply = new Promise((resolve) => calls.set(id, resolve));
      judge.call(method, params);
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
      const { result, error } = await within(reply, method);
      if (error) throw Object.assign(new Error(`${method}: ${error.message}`), error);
      judge.result(method, result);
      return result;
    },
    heard(method, isMeant = () => true) {
      const event = new Promise((resolve) => {
        const look = () => {
          const at = events.findIndex((event) => event.method === method && isMeant(event.params));
          if (at < 0) return;
          waiting.delete(look);
          resolve(events.splice(at, 1)[0].params);
        };
        waiting.add(look);
        look();
      });
      return within(event, method);
    },
    drop: () => socket.terminate(),
  };
  session.opened = await session.call("session.open", { token, visitor, status });
  return session;
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

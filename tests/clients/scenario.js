// What every client has to be able to do: an agent and a buyer, each a connection of the library under test.

import assert from "node:assert/strict";

/**
 * `connect` gives a connection: `call(method, params)`, which rejects with an object that has `code`;
 * `on(method, handler)` for events; `close()`.
 */
export async function scenario(connect) {
  const mei = await connect();
  const ann = await connect();
  const text = (client_id, words) => ({ client_id, body: { type: "text", text: words } });

  const opened = await mei.call("session.open", { token: process.env.STAFF, status: "online" });
  assert.equal(opened.identity.id, "mei");
  await ann.call("session.open", { token: process.env.BUYER });

  const assigned = next(mei, "conversation.assigned");
  const { conversation } = await ann.call("conversation.start", { shop: "shop-881", message: text("m1", "你好") });
  assert.equal(conversation.state, "active");
  assert.equal((await assigned).conversation.id, conversation.id);

  // The shop's own welcome comes first.
  const heard = next(ann, "message.new", ({ from }) => from.kind === "agent");
  const sent = await mei.call("message.send", { conversation: conversation.id, ...text("r1", "欢迎 👋") });
  const message = await heard;
  assert.deepEqual([sent.seq, message.seq, message.body.text], [3, 3, "欢迎 👋"]);

  const refused = await ann.call("no.such.method", {}).catch((error) => error);
  assert.equal(refused.code, -32601);
  const wrong = await ann.call("session.ping", { typo: 1 }).catch((error) => error);
  assert.equal(wrong.code, -32602);
  assert.match((await ann.call("session.ping")).time, /Z$/);

  const [history, again] = await Promise.all([
    ann.call("message.history", { conversation: conversation.id }),
    mei.call("message.history", { conversation: conversation.id, after: 1 }),
  ]);
  assert.deepEqual(history.messages.map(({ seq }) => seq), [1, 2, 3]);
  assert.deepEqual(again.messages.map(({ seq }) => seq), [2, 3]);

  const closed = next(ann, "conversation.closed");
  await mei.call("conversation.close", { conversation: conversation.id });
  assert.equal((await closed).by, "agent");
  await Promise.all([mei.close(), ann.close()]);
  process.exit(0);
}

function next(connection, method, isMeant = () => true) {
  return new Promise((resolve) => connection.on(method, (params) => isMeant(params) && resolve(params)));
}

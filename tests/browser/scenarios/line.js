// What is between the page and the server: lost answers, messages that cannot be sent, every way in which a line ends.

import { expect, say, startAs, until, wire } from "../people.js";

export function line(world) {
  const { daemon, agent, buyer, crowd } = world;
  const between = wire();
  let nia;
  let outside;
  let conversation;
  const times = (text) =>
    outside.evaluate(
      async (text) => (await window.buyers.pia.history()).filter(({ body }) => body.text === text).length,
      text,
    );
  const write = async (text) => {
    await nia.locator("textarea").fill(text);
    await nia.keyboard.press("Enter");
  };
  const mend = async () => {
    between.mend();
    await nia.evaluate(() => dispatchEvent(new Event("online")));
    await nia.locator(".banner").waitFor({ state: "hidden" });
  };
  const give = (to) =>
    outside.evaluate(
      async ({ conversation, to, token }) => {
        window.lead ??= await window.openSession(token);
        await window.lead.call("conversation.assign", { conversation, sub_account: to });
      },
      { conversation, to, token: daemon.token("staff", "wen") },
    );

  return {
    "a message whose answer was lost is sent again, and is there once": async () => {
      outside = world.outside = await crowd();
      nia = await agent("nia", { wire: between });
      await nia.getByRole("button", { name: "Go online" }).click();
      const token = daemon.sign({ role: "buyer", sub: "pia", name: "Pia" });
      conversation = await outside.evaluate(startAs, { id: "pia", token, source: "calm" });
      await nia.getByRole("option", { name: /Pia/ }).click();
      between.loseAnswerTo("message.send");
      await write("did you get this");
      await nia.locator(".message.pending", { hasText: "did you get this" }).waitFor();
      await nia.locator(".banner").filter({ hasText: "Next attempt" }).waitFor();
      await mend();
      await nia.locator(".message:not(.pending)", { hasText: "did you get this" }).waitFor();
      const sent = between.sent.filter((text) => text.includes("did you get this")).map((text) => JSON.parse(text).params);
      expect(sent.length === 2 && sent[0].client_id === sent[1].client_id, `sent ${sent.length} times`);
      expect((await times("did you get this")) === 1, "the buyer has it twice");
      expect((await nia.locator(".message", { hasText: "did you get this" }).count()) === 1, "it is shown twice");
    },

    "a message that may not be sent says why, is kept over a reload, and is sent once when it may": async () => {
      await outside.evaluate(async (token) => {
        window.mei = await window.openSession(token, "online");
      }, daemon.token("staff", "mei"));
      between.cut();
      await write("too late for this");
      await give("mei");
      await mend();
      const failed = nia.locator(".message.failed", { hasText: "too late for this" });
      await failed.getByText("This conversation is not yours.").waitFor();
      expect((await times("too late for this")) === 0, "the buyer has it");
      await give("nia");
      await nia.locator(".row", { hasText: "Pia" }).getByText("Not sent").waitFor();
      await nia.reload();
      await nia.getByRole("option", { name: /Pia/ }).click();
      await failed.getByRole("button", { name: "Try again" }).click();
      await nia.locator(".message:not(.failed):not(.pending)", { hasText: "too late for this" }).waitFor();
      expect((await times("too late for this")) === 1, "the buyer has it not, or twice");
    },

    "a draft outlives a reload": async () => {
      await nia.locator("textarea").fill("half a thought");
      await nia.reload();
      await nia.locator(".row", { hasText: "Pia" }).getByText("half a thought").waitFor();
      await nia.getByRole("option", { name: /Pia/ }).click();
      await until(async () => (await nia.locator("textarea").inputValue()) === "half a thought", "the draft is gone");
      await nia.locator("textarea").fill("");
    },

    "what is written while the history is read is there": async () => {
      between.holdAnswerTo("message.history", "message.new");
      const asked = between.sent.length;
      await nia.reload();
      await until(() => between.sent.slice(asked).some((text) => text.includes("message.history")), "no history is asked for");
      await outside.evaluate(() => window.buyers.pia.say("said meanwhile"));
      await nia.getByRole("option", { name: /Pia/ }).click();
      await nia.locator(".message", { hasText: "said meanwhile" }).waitFor();
      await say(nia, "seen, and answered");
    },

    "what was missed is not left out because an own message was quicker than the history": async () => {
      between.cut();
      await nia.locator(".banner").waitFor();
      await write("sent without a line");
      await outside.evaluate(async () => {
        await window.buyers.pia.say("missed one");
        await window.buyers.pia.say("missed another");
      });
      between.holdAnswerTo("message.history", "nothing");
      await mend();
      await until(() => between.answerTo("sent without a line"), "it is not sent");
      between.cut();
      await nia.locator(".banner").waitFor();
      await mend();
      for (const text of ["missed one", "missed another", "sent without a line"])
        await nia.locator(".message:not(.pending)", { hasText: text }).waitFor();
      expect((await times("sent without a line")) === 1, "the buyer has it not, or twice");
    },

    "an answer that was on its way does not bring back what somebody else has": async () => {
      const beside = wire();
      const wen = await agent("wen", { wire: beside });
      const mine = wen.getByRole("tab", { name: /Mine/ });
      await wen.getByRole("button", { name: "Go online" }).click();
      await wen.locator(".status-button", { hasText: "Online" }).waitFor();
      const token = daemon.sign({ role: "buyer", sub: "ron", name: "Ron" });
      const here = { conversation: await outside.evaluate(startAs, { id: "ron", token, source: "hurried" }) };
      await outside.evaluate((here) => window.lead.call("conversation.claim", here), here);
      await wen.getByRole("option", { name: /Ron/ }).waitFor();
      await outside.evaluate(() => window.buyers.ron.say("and one more"));
      beside.holdAnswerTo("conversation.list", "conversation.unassigned");
      await wen.getByRole("tab", { name: /Active/ }).click();
      await until(() => beside.answerTo("conversation.list"), "nothing is listed");
      await outside.evaluate((here) => window.lead.call("conversation.assign", { ...here, sub_account: "mei" }), here);
      await until(() => beside.heard.some((text) => text.includes("conversation.unassigned")), "it is not taken away");
      await mine.click();
      await until(async () => (await mine.innerText()).endsWith("0"), "it is still her own");
      await outside.evaluate(async () => {
        await window.buyers.ron.close();
        await window.lead.call("presence.set", { status: "away" });
      });
      await wen.context().close();
    },

    "who watches sees what was said while the line was down": async () => {
      const beside = wire();
      const wen = await agent("wen", { wire: beside });
      await wen.getByRole("tab", { name: /Active/ }).click();
      await wen.getByRole("option", { name: /Pia/ }).click();
      await wen.getByRole("button", { name: "Watch" }).click();
      const row = wen.locator(".row", { hasText: "Pia" });
      await row.getByText("watching").waitFor();
      await wen.keyboard.press("Escape");
      await wen.getByText("No conversation open").waitFor();
      beside.cut();
      await wen.locator(".banner").waitFor();
      await outside.evaluate(() => window.buyers.pia.say("said behind her back"));
      beside.mend();
      await wen.evaluate(() => dispatchEvent(new Event("online")));
      await row.getByText("said behind her back").waitFor();
      await say(nia, "heard, and answered");
      await wen.context().close();
    },

    "what a buyer writes before the last conversation was found stays in sight": async () => {
      const token = daemon.sign({ role: "buyer", sub: "ike", name: "Ike" });
      await outside.evaluate(startAs, { id: "ike", token, source: "calm", text: "long ago" });
      await outside.evaluate(() => window.buyers.ike.close());
      const beside = wire();
      beside.holdAnswerTo("conversation.list", "message.read");
      const ike = await buyer("ike", { wire: beside });
      await until(() => beside.answerTo("conversation.list"), "nothing is listed");
      await say(ike, "back again");
      await ike.locator(".message:not(.pending)", { hasText: "back again" }).waitFor();
      await until(() => beside.answerTo("conversation.start"), "it has not begun");
      await outside.evaluate(async () => {
        const { conversations } = await window.mei.call("conversation.list", { state: "active" });
        const { id } = conversations.find(({ buyer }) => buyer.id === "ike");
        await window.mei.call("message.read", { conversation: id, seq: 1 });
      });
      await until(() => beside.heard.some((text) => text.includes("message.read")), "nobody has read it");
      await ike.getByText("Read", { exact: true }).waitFor();
      await ike.locator(".message", { hasText: "back again" }).waitFor();
      expect((await ike.getByText("long ago").count()) === 0, "an earlier conversation is shown instead");
      await ike.getByText("Welcome to the tea house.").waitFor();
      await ike.context().close();
    },

    "every way in which a line ends has its own consequence": async () => {
      const seen = await outside.evaluate(endEachWay);
      for (const code of [4401, 4403]) expect(seen[code].state === "refused", `${code}: ${seen[code].state}`);
      expect(seen[4403].kind === "removed" && seen[4401].kind === "unauthenticated", "the reason is lost");
      for (const code of [1000, 1001, 1002, 1006, 1009, 1011, 4408, 4429, 4999])
        expect(seen[code].state === "waiting", `${code}: ${seen[code].state}`);
      expect(seen[1009].waited === "too_large" && seen[1006].waited === "disconnected", JSON.stringify(seen));
      expect(seen[1001].delay >= 1500, `it comes back before it was asked to: ${seen[1001].delay}`);
      const { delays } = seen;
      delays.forEach((delay, attempt) => {
        const ceiling = Math.min(30000, 500 * 2 ** attempt);
        expect(delay >= ceiling / 2 - 20 && delay <= ceiling, `attempt ${attempt} after ${delay} ms`);
      });
      expect(new Set(delays.slice(-6)).size > 1, "all come back at the same moment");
    },

    "a server that stops says so, and everybody comes back to the next one": async () => {
      await daemon.stop();
      await nia.getByText("The server is about to restart.").waitFor();
      await nia.locator(".banner").waitFor();
      await daemon.start();
      await nia.locator(".banner").waitFor({ state: "hidden", timeout: 20000 });
      await nia.getByRole("option", { name: /Pia/ }).waitFor();
      await nia.context().close();
    },
  };
}

/** Runs outside: a connection over a socket that is none, ended in every way. Gives what it did next, by close code. */
async function endEachWay() {
  const { Connection } = await import("/assets/shared/rpc.js");
  const Real = window.WebSocket;
  let socket = null;
  window.WebSocket = class {
    constructor() {
      socket = this;
      setTimeout(() => this.onopen?.());
    }
    send(text) {
      const { id, method } = JSON.parse(text);
      if (method === "session.open") setTimeout(() => this.onmessage?.({ data: JSON.stringify({ id, result: {} }) }));
    }
    close() {}
  };
  const fresh = () =>
    new Promise((resolve) => {
      const connection = new Connection({ openParams: () => ({}), handlers: { opened: () => resolve(connection) } });
      connection.start();
    });
  const seen = { delays: [] };
  for (const code of [1000, 1001, 1002, 1006, 1009, 1011, 4401, 4403, 4408, 4429, 4999]) {
    const connection = await fresh();
    if (code === 1001)
      socket.onmessage({ data: JSON.stringify({ method: "session.draining", params: { reconnect_after_ms: 1500 } }) });
    const call = connection.call("message.send").catch(({ kind }) => kind);
    socket.onclose({ code });
    const { state, detail } = connection;
    seen[code] = { state, kind: detail?.kind, delay: detail?.retryAt - Date.now(), waited: await call };
    connection.stop();
  }
  const connection = await fresh();
  for (let attempt = 0; attempt < 12; attempt += 1) {
    socket.onclose({ code: 1006 });
    seen.delays.push(connection.detail.retryAt - Date.now());
    connection.retryNow();
  }
  connection.stop();
  window.WebSocket = Real;
  return seen;
}

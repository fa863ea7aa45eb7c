// A day at the tea house: a buyer and two agents, from the first message to the rating, through a killed server.

import { expect, say, until } from "../people.js";

const NAME = `<b onclick="document.title='taken'">Eve</b>`;
const MARKUP = `<img src=x onerror="document.title='taken'">`;
const TEXTS = [
  `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`,
  "javascript:alert(1) https://user:secret@evil.example/ data:text/html,<script>alert(1)</script>",
  `\u202Egnp.exe ${"\u0301".repeat(400)}`,
  `${"W".repeat(8000)}`,
];

export function day(world) {
  const { daemon, person, agent, buyer } = world;
  let mei;
  let bo;
  let ann;

  return {
    "the front page links to every console and shop, and a link signs in": async () => {
      const page = await person();
      await page.goto(daemon.url);
      await page.getByRole("heading", { name: /Tea House/ }).waitFor();
      const [chat] = await Promise.all([
        page.waitForEvent("popup"),
        page.getByRole("article").filter({ hasText: "Tea House" }).getByRole("link", { name: "Open the chat" }).click(),
      ]);
      await chat.getByText("Lin's Tea House").waitFor();
      expect(!chat.url().includes("token"), "the token stays in the address of the chat");
      const [console] = await Promise.all([
        page.waitForEvent("popup"),
        page.getByRole("link", { name: /Wen/ }).click(),
      ]);
      await console.locator(".status-button").waitFor();
      expect(!console.url().includes("token"), "the token stays in the address of the console");
    },

    "a wrong token is refused in words": async () => {
      const page = await person();
      await page.goto(`${daemon.url}/console`);
      await page.getByLabel("Token").fill("nonsense");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
    },

    "nobody online: the message is kept and handed out when somebody comes": async () => {
      ann = await buyer("ann");
      await say(ann, "is anybody there");
      await ann.locator(".state").filter({ hasText: /Leave a message/ }).waitFor();
      mei = world.mei = await agent("mei");
      await mei.getByRole("button", { name: "Go online" }).click();
      await mei.getByRole("option", { name: /ann/ }).click();
      await ann.getByText("mei is with you", { exact: false }).or(ann.getByText("Mei is with you")).waitFor();
    },

    "typing and reading are seen by the other side": async () => {
      await mei.getByRole("combobox").pressSequentially("Hel");
      await ann.locator(".log .typing").waitFor();
      await say(mei, "Hello ann");
      await ann.getByText("Hello ann").waitFor();
      await ann.locator("textarea").pressSequentially("Th");
      await mei.locator(".log .typing").waitFor();
      await say(ann, "Thank you");
      await ann.locator(".message", { hasText: "Thank you" }).getByText("Read").waitFor();
    },

    "a note never reaches the buyer": async () => {
      await mei.getByRole("button", { name: "Note", exact: true }).click();
      await say(mei, "between us only");
      await mei.getByText("Note · staff only").waitFor();
      await say(mei, "after the note");
      await ann.getByText("after the note").waitFor();
      expect((await ann.getByText("between us").count()) === 0, "the buyer sees the note");
    },

    "cards come over, and an image is fetched only when it is asked for": async () => {
      const asked = [];
      ann.on("request", (request) => asked.push(request.url()));
      await sendCard(mei, "Product", { Number: "tea-longjing", Title: "Longjing, 50 g", Price: "¥ 168" });
      await ann.getByText("Longjing, 50 g").waitFor();
      await sendCard(mei, "Image", { "Address (https)": "https://shop.invalid/leaf.png" });
      await ann.getByRole("button", { name: "Show" }).waitFor();
      expect(!asked.some((url) => url.includes("shop.invalid")), "the image was fetched unasked");
      await ann.getByRole("button", { name: "Show" }).click();
      await ann.getByText("could not be loaded").waitFor();
      expect(
        asked.some((url) => url.includes("shop.invalid")),
        "the image was not asked for",
      );
    },

    "what a hostile buyer says is text wherever it stands": async () => {
      const token = daemon.sign({ role: "buyer", sub: "eve", name: NAME, attrs: { level: NAME } });
      const eve = await world.person();
      await eve.goto(`${daemon.url}/buyer?shop=shop-881#token=${token}`);
      for (const text of TEXTS) await say(eve, text);
      await mei.getByRole("option", { name: /Eve/ }).click();
      await mei.locator(".message.theirs", { hasText: "<img src=x" }).waitFor();
      await mei.locator(".details-pane", { hasText: NAME }).waitFor();
      expect((await mei.locator(".app b, .log img, .log script").count()) === 0, "markup was made");
      expect((await mei.locator(".log a").count()) === 0, "a dangerous address became a link");
      const wide = await mei.evaluate(() =>
        [".log", ".list-body .scroller", "html"].filter(
          (one) => document.querySelector(one).scrollWidth > document.querySelector(one).clientWidth,
        ),
      );
      expect(wide.length === 0, `a long word breaks ${wide}`);
      for (const page of [mei, eve]) expect(!(await page.title()).includes("taken"), "a script ran");
      await eve.getByRole("button", { name: "End the conversation" }).click();
    },

    "what a hostile buyer brings along is text as well": async () => {
      const outside = await world.crowd();
      const token = daemon.sign({ role: "buyer", sub: "mal", name: `${NAME} ${"x".repeat(100)}`, attrs: { [NAME]: [NAME, NAME] } });
      const refused = await outside.evaluate(startHostile, { token, markup: MARKUP });
      expect(refused.join() === "invalid_params,invalid_params", `an address of scripts was taken: ${refused}`);
      await mei.keyboard.press("Escape");
      await mei.getByPlaceholder("Find").fill("onerror");
      await mei.getByRole("option", { name: /Eve/ }).click();
      await mei.getByPlaceholder("Find").fill("");
      for (const text of [`a product ${MARKUP}`, `an order ${MARKUP}`, `a file ${MARKUP}`])
        await mei.locator(".card strong", { hasText: text }).waitFor();
      await mei.locator(".details-pane dd", { hasText: MARKUP }).first().waitFor();
      await mei.getByRole("button", { name: "Note", exact: true }).click();
      await say(mei, `a note ${MARKUP}`);
      await mei.getByRole("button", { name: "Transfer" }).click();
      await mei.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      const made = await mei.locator(".app img[src=x], .app script, .app b, [onerror], [onclick]").count();
      expect(made === 0, "markup was made");
      expect((await mei.locator('.log a:not([rel~="noopener"])').count()) === 0, "a link keeps its opener");
      expect(!(await mei.title()).includes("taken"), "a script ran");
      await outside.evaluate(() => window.leaveHostile());
    },

    "a transfer with a note": async () => {
      bo = world.bo = await agent("bo");
      await bo.getByRole("button", { name: "Go online" }).click();
      await mei.getByRole("option", { name: /ann/ }).click();
      await mei.getByRole("button", { name: "Transfer" }).click();
      await mei.locator(".target.free", { hasText: "Bo" }).getByText("has room").waitFor();
      await mei.locator(".target", { hasText: "Quan" }).getByText("Offline").waitFor();
      await mei.locator(".target", { hasText: "Many at once" }).getByText("0 free").waitFor();
      await mei.getByRole("radio", { name: /Bo/ }).check();
      await mei.getByLabel("Note for whoever").fill("likes green tea");
      await mei.getByRole("dialog").getByRole("button", { name: "Transfer" }).click();
      await bo.getByRole("option", { name: /ann/ }).click();
      await bo.locator(".message.note", { hasText: "likes green tea" }).waitFor();
      await bo.reload();
      await bo.getByRole("option", { name: /ann/ }).click();
      await bo.locator(".details-pane", { hasText: "A colleague passed it on to you." }).waitFor();
      await bo.locator(".message.note", { hasText: "likes green tea" }).waitFor();
      await ann.getByText(/Bo is with you/i).waitFor();
    },

    "and why it is one's own is known in any browser": async () => {
      const elsewhere = await agent("bo");
      await elsewhere.getByRole("option", { name: /ann/ }).click();
      await elsewhere.locator(".details-pane", { hasText: "A colleague passed it on to you." }).waitFor();
      await elsewhere.context().close();
    },

    "the server is killed and comes back: what was written meanwhile arrives once": async () => {
      const before = await bo.locator(".message").count();
      await daemon.kill();
      await ann.locator(".line").waitFor();
      await bo.locator(".banner").waitFor();
      await ann.locator("textarea").fill("asked without a line");
      await ann.keyboard.press("Enter");
      await bo.locator("textarea").fill("answered without a line");
      await bo.keyboard.press("Enter");
      await ann.locator(".message.pending").waitFor();
      await bo.locator(".message.pending").waitFor();
      await daemon.start();
      for (const page of [ann, bo]) {
        for (const text of ["asked without a line", "answered without a line"]) {
          await page.locator(".message:not(.pending)", { hasText: text }).waitFor({ timeout: 20000 });
          expect((await page.locator(".message", { hasText: text }).count()) === 1, `twice: ${text}`);
        }
      }
      expect((await bo.locator(".message").count()) === before + 2, "messages were lost or doubled");
      await bo.locator(".banner").waitFor({ state: "hidden" });
    },

    "the chat goes on after a reload": async () => {
      const before = await ann.locator(".message").count();
      await ann.reload();
      await ann.getByText("asked without a line").waitFor();
      expect((await ann.locator(".message").count()) === before, "the history differs");
    },

    "an offer counts down, is declined, and is taken from the queue after all": async () => {
      const dora = await buyer("dora");
      await say(dora, "please ask somebody");
      const seconds = async () => parseInt(await bo.locator(".offer-seconds").textContent(), 10);
      await bo.locator(".offer-seconds").waitFor();
      const first = await seconds();
      await until(async () => (await seconds()) < first, "the offer does not count down");
      await bo.getByRole("button", { name: /Decline/ }).click();
      await bo.locator(".offer").waitFor({ state: "detached" });
      await dora.getByText(/queue/).waitFor();
      await bo.getByRole("tab", { name: /Queue/ }).click();
      await bo.getByRole("option", { name: /dora/ }).click();
      await bo.getByRole("button", { name: "Take it" }).click();
      await dora.getByText(/Bo is with you/i).waitFor();
      await bo.getByRole("tab", { name: /Mine/ }).click();
    },

    "an offer is accepted by a key": async () => {
      const eli = await buyer("eli");
      await say(eli, "please ask me too");
      await bo.locator(".offer").waitFor();
      await bo.keyboard.press("Escape");
      await bo.keyboard.press("a");
      await eli.getByText(/Bo is with you/i).waitFor();
      await bo.locator(".offer").waitFor({ state: "detached" });
    },

    "going offline hands the conversations over": async () => {
      await mei.bringToFront();
      await bo.bringToFront();
      await bo.keyboard.press("Escape");
      await bo.locator(".status-button").click();
      await bo.getByRole("menuitemradio", { name: /Offline/ }).click();
      await bo.getByRole("button", { name: "Hand over and go" }).click();
      await mei.getByRole("option", { name: /ann/ }).waitFor();
      await ann.getByText(/Mei is with you/i).waitFor();
      await bo.locator(".status-button").click();
      await bo.getByRole("menuitemradio", { name: /Online/ }).click();
    },

    "close, rate, and write again": async () => {
      await ann.getByRole("button", { name: "End the conversation" }).click();
      await ann.getByRole("button", { name: "4 of 5" }).click();
      await ann.getByRole("button", { name: "Rate" }).click();
      await ann.getByText("Thank you for your feedback").waitFor();
      await say(ann, "one more thing");
      await mei.getByRole("option", { name: /ann/ }).click();
      await mei.locator(".message", { hasText: "one more thing" }).waitFor();
      await ann.getByText(/Mei is with you/i).waitFor();
    },
  };
}

async function sendCard(page, kind, fields) {
  await page.getByRole("button", { name: "Send a card" }).click();
  await page.getByRole("menuitem", { name: kind }).click();
  for (const [label, value] of Object.entries(fields)) await page.getByRole("dialog").getByLabel(label).fill(value);
  await page.getByRole("dialog").getByRole("button", { name: "Send" }).click();
}

/** Runs outside: a conversation with markup in everything that it brings along. Gives why dangerous addresses were refused. */
async function startHostile({ token, markup }) {
  const session = await window.openSession(token);
  const { conversation } = await session.call("conversation.start", {
    shop: "shop-881",
    context: { product: markup, [markup]: markup },
  });
  const send = (body) =>
    session.call("message.send", { conversation: conversation.id, client_id: crypto.randomUUID(), body });
  const url = `https://evil.example/"onmouseover="document.title='taken'`;
  await send({ type: "text", text: "onerror" });
  await send({ type: "product", id: markup, title: `a product ${markup}`, price: markup, url });
  await send({ type: "order", id: markup, title: `an order ${markup}`, price: markup, url });
  await send({ type: "file", name: `a file ${markup}`, url });
  window.leaveHostile = () => session.call("conversation.close", { conversation: conversation.id });
  const kindOf = (body) => send(body).then(() => "taken", (error) => JSON.parse(error.message.slice(error.message.indexOf("{"))).kind);
  return [
    await kindOf({ type: "image", url: "javascript:document.title='taken'" }),
    await kindOf({ type: "product", id: "1", url: "data:text/html,<script>1</script>" }),
  ];
}

// The chat in a shop's page: of the shop's own origin and of no other.

import { expect, until } from "../people.js";

const PHONE = { viewport: { width: 390, height: 780 } };

export function widget(world) {
  const { daemon, home, foreign, person } = world;

  const shop = async (options, settings = "") => {
    const page = await person(options);
    await page.goto(`${home}/?${encodeURIComponent(settings)}`);
    await page.waitForFunction(() => window.fenliu);
    return page;
  };

  return {
    "a visitor opens the bubble, writes, and is known again after a reload": async () => {
      const page = await shop();
      await page.mouse.click(1440 - 48, 860 - 48);
      let frame = await frameOf(page);
      await frame.getByText("Tea House").waitFor();
      await page.evaluate(() => window.fenliu.prefill("about tea"));
      await until(async () => (await frame.locator("textarea").inputValue()) === "about tea", "nothing is prefilled");
      await frame.locator("textarea").press("Enter");
      await frame.locator(".message.own:not(.pending)").waitFor();
      await page.reload();
      await page.waitForFunction(() => window.fenliu);
      await page.evaluate(() => window.fenliu.open());
      frame = await frameOf(page);
      await frame.getByText("about tea").waitFor();
    },

    "a shop's backend names the buyer, and the token stands in no address": async () => {
      const token = daemon.sign({ role: "buyer", sub: "kim", name: "Kim", attrs: { level: "gold" } });
      const addresses = [];
      const page = await shop({}, `window.fenliuSettings = { token: async () => "${token}" }`);
      page.on("request", (request) => addresses.push(request.url()));
      page.on("framenavigated", (frame) => addresses.push(frame.url()));
      await page.evaluate(() => (window.fenliu.context({ product: "tea-white" }), window.fenliu.open()));
      const frame = await frameOf(page);
      await frame.locator("textarea").fill("it is me");
      await frame.locator("textarea").press("Enter");
      await world.mei.bringToFront();
      await world.mei.getByRole("option", { name: /Kim/ }).click();
      await world.mei.locator(".details-pane", { hasText: "gold" }).waitFor();
      await world.mei.locator(".details-pane", { hasText: "tea-white" }).waitFor();
      expect(!addresses.some((address) => address.includes(token)), "the token was in an address");
      await page.evaluate(() => window.fenliu.close());
      await world.mei.getByRole("combobox").fill("Hello Kim");
      await world.mei.keyboard.press("Enter");
      await until(
        async () => (await namesIn(page)).some((name) => /, 1 unread/.test(name)),
        "the bubble does not count",
      );
    },

    "what a page fills in is text, whatever it says": async () => {
      const markup = `<img src=x onerror="document.title='taken'">`;
      const token = daemon.sign({ role: "buyer", sub: "moe", name: markup });
      const page = await shop({}, `window.fenliuSettings = { token: "${token}", title: ${JSON.stringify(markup)} }`.replaceAll("<", "\\x3c"));
      await page.evaluate((text) => (window.fenliu.open(), window.fenliu.context({ product: text }), window.fenliu.prefill(text)), markup);
      const frame = await frameOf(page);
      await frame.getByRole("heading", { name: markup }).waitFor();
      await until(async () => (await frame.locator("textarea").inputValue()) === markup, "nothing is prefilled");
      await frame.locator("textarea").press("Enter");
      await frame.locator(".message.own:not(.pending)", { hasText: markup }).waitFor();
      expect((await frame.locator("img, [onerror]").count()) === 0, "markup was made");
      expect((await frame.evaluate(() => document.title)) === markup, "a script ran");
    },

    "another buyer's token begins anew, and nothing of the one before is shown": async () => {
      const [first, second] = ["ned", "oda"].map((sub) => daemon.sign({ role: "buyer", sub, name: sub }));
      const page = await shop({}, `window.fenliuSettings = { token: "${first}" }`);
      await page.evaluate(() => window.fenliu.open());
      const frame = await frameOf(page);
      await frame.locator("textarea").fill("only for ned");
      await frame.locator("textarea").press("Enter");
      await frame.locator(".message.own:not(.pending)").waitFor();
      await page.evaluate((token) => window.fenliu.token(token), second);
      await frame.locator(".greeting").waitFor();
      expect((await frame.getByText("only for ned").count()) === 0, "the one before is shown");
      await page.evaluate((token) => window.fenliu.token(token), first);
      await frame.getByText("only for ned").waitFor();
    },

    "what one tab of a buyer begins is in the other one as well": async () => {
      const one = await world.buyer("pat");
      const other = await world.buyer("pat");
      await other.locator(".greeting").waitFor();
      await until(async () => (await one.locator("textarea").count()) === 1, "no place to write");
      await one.locator("textarea").fill("from the first tab");
      await one.keyboard.press("Enter");
      await other.locator(".message.own", { hasText: "from the first tab" }).waitFor();
    },

    "the shop is asked for another token before the first runs out": async () => {
      const soon = Math.floor(Date.now() / 1000) + 63;
      const first = daemon.sign({ role: "buyer", sub: "lou", name: "Lou", exp: soon });
      const second = daemon.sign({ role: "buyer", sub: "lou", name: "Lou" });
      const give = `async () => (window.asked = (window.asked ?? 0) + 1) === 1 ? "${first}" : "${second}"`;
      const page = await shop({}, `window.fenliuSettings = { token: ${give} }`);
      const frames = [];
      page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => frames.push(payload)));
      await page.evaluate(() => window.fenliu.open());
      await page.waitForFunction(() => window.asked >= 2);
      await until(() => frames.some((text) => text.includes("session.refresh")), "the session is not renewed");
      expect(frames.filter((text) => text.includes("session.open")).length === 1, "the session was opened anew");
    },

    "Escape puts the chat away, and the focus goes back to the bubble": async () => {
      const page = await shop();
      await page.evaluate(() => window.fenliu.open());
      const frame = await frameOf(page);
      await frame.locator("textarea").press("Escape");
      await until(async () => (await namesIn(page)).includes("Open the chat"), "the chat stays");
    },

    "on a phone the chat is the whole screen": async () => {
      const page = await shop(PHONE);
      await page.evaluate(() => window.fenliu.open());
      const frame = await frameOf(page);
      await frame.locator("textarea").waitFor();
      const size = await frame.evaluate(() => [innerWidth, innerHeight]);
      expect(size.join() === "390,780", `it is ${size}`);
    },

    "a foreign page holds no chat": async () => {
      const page = await person();
      await page.goto(foreign);
      await page.waitForFunction(() => window.fenliu);
      await page.evaluate(() => window.fenliu.open());
      await until(() => page.frames().some((one) => one.url().startsWith("chrome-error:")), "it was let in");
      expect(!page.frames().some((one) => one.url().includes("/buyer")), "a foreign page holds the chat");
    },

    "the chat hears the page that holds it and no other frame": async () => {
      const page = await person();
      await page.goto(home);
      await page.evaluate(
        ([chat, origin, other]) => {
          for (const address of [`${chat}/buyer?shop=shop-881#origin=${encodeURIComponent(origin)}`, other]) {
            const frame = document.createElement("iframe");
            frame.src = address;
            document.body.append(frame);
          }
        },
        [daemon.url, home, foreign],
      );
      const chat = await frameOf(page);
      await chat.locator("main").waitFor();
      const stranger = page.frames().find((one) => one.url().startsWith(foreign));
      await stranger.evaluate(() => parent.frames[0].postMessage({ fenliu: 1, type: "title", title: "stolen" }, "*"));
      await page.evaluate(() => frames[0].postMessage({ fenliu: 1, type: "title", title: "ours" }, "*"));
      await chat.getByRole("heading", { name: "ours" }).waitFor();
      const titles = await chat.evaluate(() => document.title);
      expect(titles === "ours", `it heard a stranger: ${titles}`);
    },
  };
}

async function frameOf(page) {
  return until(() => page.frames().find((one) => one.url().includes("/buyer")), "the widget opened no frame");
}

/** What assistive technology is told of a page, its closed parts included. */
async function namesIn(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  return nodes.map((node) => node.name?.value ?? "");
}

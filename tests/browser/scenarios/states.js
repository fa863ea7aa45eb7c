// Every state of the pages: no serious fault for assistive technology in either colour scheme, on a small screen too,
// and nothing that moves where that is not wanted.

import { accessible, expect, say, startAs } from "../people.js";

const SMALL = { viewport: { width: 1280, height: 720 } };

export function states(world) {
  const { daemon, agent, buyer, home, person } = world;
  const starts = (id, source, text) =>
    world.outside.evaluate(startAs, { id, token: daemon.sign({ role: "buyer", sub: id, name: id }), source, text });

  return {
    "an agent's states: nothing to do, an offer, the menus and dialogs": async () => {
      const bo = await agent("bo", SMALL);
      await accessible(bo);
      await bo.getByRole("button", { name: "Go online" }).click();
      await bo.getByText("Nobody is waiting for you").waitFor();
      await accessible(bo);
      await starts("ole", "shop", "please ask somebody");
      await bo.locator(".offer-seconds").waitFor();
      await accessible(bo);
      await fits(bo);
      await bo.getByRole("button", { name: /Accept/ }).click();
      await bo.locator(".message", { hasText: "please ask" }).waitFor();
      await fits(bo);
      await bo.locator("textarea").fill("/");
      await bo.locator(".quick-item").first().waitFor();
      await accessible(bo);
      await bo.locator("textarea").fill("");
      await bo.keyboard.press("Escape");
      for (const key of ["t", "e", "?"]) {
        await bo.keyboard.press(key);
        await bo.getByRole("dialog").waitFor();
        await accessible(bo);
        await fits(bo);
        await bo.keyboard.press("Escape");
        await bo.locator("dialog").waitFor({ state: "detached" });
      }
      await bo.getByRole("tab", { name: /Queue/ }).click();
      await bo.getByRole("tab", { name: /Queue/, selected: true }).waitFor();
      await accessible(bo);
      await bo.context().close();
    },

    "the desk and what would happen if, on a small screen": async () => {
      const wen = await agent("wen", SMALL);
      await wen.keyboard.press("2");
      await wen.getByRole("rowheader", { name: "Before the sale" }).waitFor();
      await accessible(wen);
      await fits(wen);
      await wen.keyboard.press("3");
      await wen.getByRole("button", { name: "Try it" }).waitFor();
      await accessible(wen);
      await fits(wen);
      await wen.locator("#whatif-text").fill("please ask somebody");
      await wen.getByRole("button", { name: "Try it" }).click();
      await wen.getByText("Who was considered").waitFor();
      await accessible(wen);
      await fits(wen);
      await wen.context().close();
    },

    "the colours and their switch follow the system while the page is open, until one is chosen": async () => {
      const page = await person();
      await page.goto(`${daemon.url}/console`);
      const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await paper();
      await page.getByRole("button", { name: "Dark theme" }).waitFor();
      await page.emulateMedia({ colorScheme: "dark" });
      await page.getByRole("button", { name: "Light theme" }).click();
      await page.getByRole("button", { name: "Dark theme" }).waitFor();
      expect((await paper()) === light, "what was chosen does not stand");
      await page.context().close();
    },

    "a buyer's states: nothing said, in the queue, a message left, talking": async () => {
      const set = (id, status) =>
        world.outside.evaluate(
          async ({ token, status }) => {
            const session = await window.openSession(token);
            await session.call("presence.set", { status, reroute: true });
          },
          { token: daemon.token("staff", id), status },
        );
      await set("mei", "offline");
      await world.outside.evaluate(async (token) => {
        (await window.openSession(token, "online")).close();
      }, daemon.token("staff", "bo"));
      const flo = await buyer("flo");
      await flo.locator(".greeting").waitFor();
      await accessible(flo);
      // The other one has gone a moment ago and may be back.
      await say(flo, "good evening");
      await flo.locator(".state").filter({ hasText: /queue/ }).waitFor();
      await accessible(flo);
      await set("bo", "offline");
      await flo.locator(".state").filter({ hasText: /Leave a message/ }).waitFor();
      await accessible(flo);
      await set("mei", "online");
      await flo.getByText("Mei is with you").waitFor();
      await accessible(flo);
      await flo.context().close();
    },

    "the chat in a shop's page, with nothing that moves where that is not wanted": async () => {
      const page = await person({ reducedMotion: "reduce" });
      await page.goto(home);
      await page.waitForFunction(() => window.fenliu);
      await page.evaluate(() => window.fenliu.open());
      const frame = await frameOf(page);
      await frame.locator("textarea").waitFor();
      await accessible(page, frame);
      expect((await moving(page)) + (await moving(frame)) === 0, "something moves in the shop's page");
      const mei = await agent("mei", { reducedMotion: "reduce" });
      await frame.locator("textarea").fill("in peace");
      await frame.locator("textarea").press("Enter");
      await mei.getByRole("option", { name: /in peace/ }).click();
      await frame.getByText("Mei is with you").waitFor();
      await frame.locator("textarea").pressSequentially("I write");
      await mei.locator(".log .typing").waitFor();
      expect((await moving(mei)) === 0, "something moves in the console");
      await mei.context().close();
    },
  };
}

/** Whatever is to be used stands within the window, and nothing is wider than it. */
async function fits(page) {
  const outside = await page.evaluate(() => {
    const wide = ["html", "main", ".list-body .scroller", ".log"].filter((one) => {
      const element = document.querySelector(one);
      return element && element.scrollWidth > element.clientWidth;
    });
    const controls = document.querySelectorAll(".rail button, .status-bar button, .thread-head button, .composer button, dialog button");
    const hidden = [...controls].filter((control) => {
      const box = control.getBoundingClientRect();
      return box.width > 0 && (box.left < 0 || box.right > innerWidth || box.top < 0 || box.bottom > innerHeight);
    });
    return wide.concat(hidden.map((control) => control.getAttribute("aria-label") ?? control.textContent));
  });
  expect(outside.length === 0, `outside of the window: ${outside}`);
}

const moving = (place) =>
  place.evaluate(() => document.getAnimations().filter((one) => one.playState === "running").length);

async function frameOf(page) {
  const frame = () => page.frames().find((one) => one.url().includes("/buyer"));
  return frame() ?? (await page.waitForEvent("framenavigated", () => Boolean(frame())), frame());
}

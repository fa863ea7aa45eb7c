// What people do, in a real browser against a real daemon: buyers, two agents, a page that embeds the widget.

import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { freePort, startDaemon } from "./daemon.js";
import { accessible, expect, people, say } from "./people.js";

const HOSTILE = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script> \u202Egnp.exe javascript:alert(1)`;

const homePort = await freePort();
const foreignPort = await freePort();
const routing = fileURLToPath(new URL("routing", import.meta.url));
const daemon = await startDaemon({ routing, origin: `http://127.0.0.1:${homePort}` });
const shopPage = (request, response) => {
  response.setHeader("content-type", "text/html");
  response.end(
    `<!doctype html><h1>Tea</h1><script src="${daemon.url}/widget.js" data-shop="shop-881" data-title="Tea House"></script>`,
  );
};
const hosts = [
  createServer(shopPage).listen(homePort, "127.0.0.1"),
  createServer(shopPage).listen(foreignPort, "127.0.0.1"),
];
const { browser, problems, person, agent, buyer } = await people(daemon);

let mei;
let bo;
let ann;
const tests = {
  "the front page links to every console and shop": async () => {
    const page = await person();
    await page.goto(daemon.url);
    await page.getByRole("link", { name: /Mei/ }).waitFor();
    await page.getByRole("heading", { name: /Tea House/ }).waitFor();
    await accessible(page);
  },
  "a wrong token is refused in words": async () => {
    const page = await person();
    await page.goto(`${daemon.url}/console`);
    await page.getByLabel("Token").fill("nonsense");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    await accessible(page);
  },
  "nobody online: the message is kept and handed out when somebody comes": async () => {
    ann = await buyer("ann");
    await say(ann, "is anybody there");
    await ann.locator(".state").filter({ hasText: /kept/ }).waitFor();
    mei = await agent("mei");
    expect(!mei.url().includes("token"), "the token stays in the address");
    await mei.getByRole("button", { name: "Go online" }).click();
    await mei.getByRole("option", { name: /ann/ }).waitFor();
  },
  "a reply by a quick reply and the keyboard alone": async () => {
    await mei.keyboard.press("j");
    await mei.keyboard.press("r");
    await mei.getByRole("combobox").pressSequentially("/hel");
    await mei.keyboard.press("Enter");
    await mei.keyboard.press("Enter");
    await ann.getByText("How can I help").waitFor();
    await accessible(mei);
    await accessible(ann);
  },
  "a note never reaches the buyer": async () => {
    await mei.getByRole("button", { name: "Note", exact: true }).click();
    await say(mei, "between us only");
    await mei.getByText("Note · staff only").waitFor();
    await say(mei, "after the note");
    await ann.getByText("after the note").waitFor();
    expect((await ann.getByText("between us").count()) === 0, "the buyer sees the note");
  },
  "what a hostile buyer writes is text": async () => {
    await say(ann, HOSTILE);
    await mei.locator(".message.theirs", { hasText: "<img src=x" }).waitFor();
    expect((await mei.locator(".log img, .log script").count()) === 0, "markup was made");
    expect(!(await mei.title()).includes("taken"), "a script ran");
  },
  "a transfer with a note": async () => {
    bo = await agent("bo");
    await bo.getByRole("button", { name: "Go online" }).click();
    await mei.getByRole("button", { name: "Transfer" }).click();
    await mei.getByRole("radio", { name: /Bo/ }).check();
    await mei.getByLabel("Note for whoever").fill("likes green tea");
    await mei.getByRole("dialog").getByRole("button", { name: "Transfer" }).click();
    await bo.getByRole("option", { name: /ann/ }).click();
    await bo.getByText("likes green tea").waitFor();
    await ann.getByText(/Bo is with you/i).waitFor();
  },
  "the server is killed and comes back: what was written arrives once": async () => {
    await daemon.kill();
    await ann.locator(".line").waitFor();
    await ann.locator("textarea").fill("written without a line");
    await ann.keyboard.press("Enter");
    await ann.locator(".message.pending").waitFor();
    await daemon.start();
    await bo.locator(".message.theirs", { hasText: "written without a line" }).waitFor({ timeout: 20000 });
    expect((await bo.locator(".message", { hasText: "written without a line" }).count()) === 1, "it arrived twice");
  },
  "an offer counts down and is accepted": async () => {
    const dora = await buyer("dora");
    await say(dora, "please ask somebody");
    await bo.locator(".offer-seconds").waitFor();
    await bo.getByRole("button", { name: /Accept/ }).click();
    await dora.getByText(/Bo is with you/i).waitFor();
  },
  "the desk, and what would happen if": async () => {
    await bo.keyboard.press("Escape");
    await bo.keyboard.press("Escape");
    await bo.locator(".rail-item", { hasText: "Desk" }).click();
    await bo.getByRole("rowheader", { name: "Before the sale" }).waitFor();
    await accessible(bo);
    await bo.locator(".rail-item", { hasText: "What if" }).click();
    await bo.getByRole("button", { name: "Try it" }).click();
    await bo.getByText("Who was considered").waitFor();
  },
  "close and rate": async () => {
    await ann.getByRole("button", { name: "End the conversation" }).click();
    await ann.getByRole("button", { name: "4 of 5" }).click();
    await ann.getByRole("button", { name: "Rate" }).click();
    await ann.getByText("Thank you").waitFor();
  },
  "Chinese on a phone, in the dark": async () => {
    const page = await agent("mei", { locale: "zh-CN", colorScheme: "dark", viewport: { width: 390, height: 800 } });
    await page.getByRole("tab", { name: /我的/ }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it is wider than the phone");
    await accessible(page);
  },
  "the widget in the shop's page, and nowhere else": async () => {
    const page = await person();
    await page.goto(`http://127.0.0.1:${homePort}`);
    await page.waitForFunction(() => window.fenliu);
    await page.evaluate(() => (window.fenliu.open(), window.fenliu.prefill("about tea")));
    const frame = await frameOf(page);
    await frame.getByText("Tea House").waitFor();
    await frame.locator("textarea").press("Enter");
    await frame.locator(".message.own").waitFor();
    const foreign = await person();
    await foreign.goto(`http://127.0.0.1:${foreignPort}`);
    await foreign.waitForFunction(() => window.fenliu);
    await foreign.evaluate(() => window.fenliu.open());
    await foreign.waitForFunction(() => true);
    await foreign.waitForTimeout(700);
    expect(!foreign.frames().some((one) => one.url().includes("/buyer")), "a foreign page holds the chat");
  },
  "no page failed": async () => expect(problems.length === 0, problems.join("; ")),
};

async function frameOf(page) {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const frame = page.frames().find((one) => one.url().includes("/buyer"));
    if (frame) return frame;
    await page.waitForTimeout(100);
  }
  throw new Error("the widget opened no frame");
}

let passed = 0;
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message.split("\n").slice(0, 4).join(" ")}`);
  }
}
await browser.close();
hosts.forEach((host) => host.close());
await daemon.end();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);

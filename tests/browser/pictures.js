// Pictures of every main state, light and dark, into the directory named: `FENLIU_BIN=… node pictures.js DIRECTORY [PART]`.
// For eyes, not for assertions: run it after a change of the pages and look.

import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, startDaemon } from "./daemon.js";
import { people, say } from "./people.js";

const [directory = "pictures", part = ""] = process.argv.slice(2);
const PHONE = { viewport: { width: 390, height: 800 } };
const homePort = await freePort();
const origin = `http://127.0.0.1:${homePort}`;
const daemon = await startDaemon({ routing: fileURLToPath(new URL("../../config/routing", import.meta.url)), origin });
const { browser, person, agent, buyer, crowd } = await people(daemon);
mkdirSync(directory, { recursive: true });

async function picture(page, name) {
  if (!name.includes(part)) return;
  console.log(name);
  await page.waitForTimeout(250);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

const BUYERS = [
  ["王小雨", "这款龙井是明前的吗？", { product: "tea-longjing", source: "search" }],
  ["Sofia Marín", "Does the jasmine tea come in a gift box?", { product: "tea-jasmine", region: "ES" }],
  ["陈默", "什么时候发货", { order: "88120034", order_stage: "paid" }],
  [
    "Jonas",
    "Is there a discount for two tins of Tieguanyin, and can you ship to Hamburg before the 3rd of December? It is a present.",
    { product: "tea-tieguanyin" },
  ],
  ["李婉", "好的谢谢", { source: "live" }],
  ["Amélie", "bonjour", { language: "fr" }],
  ["赵一鸣", "请问有小样吗", { product: "tea-dahongpao" }],
  ["Ngozi Okafor", "Can I change the delivery address of my order?", { order: "88120101" }],
  ["周杰", "在吗", {}],
  ["Hanna", "How do I brew this?", { product: "tea-white" }],
  ["吴芳", "可以开发票吗？", { order: "88119870" }],
];
const sub = (name) =>
  `b-${[...name]
    .map((letter) => letter.codePointAt(0).toString(36))
    .join("")
    .slice(0, 12)}`;
const tokenOf = (name, attrs) => daemon.sign({ role: "buyer", sub: sub(name), name, ...(attrs ? { attrs } : {}) });

/** A buyer without a window starts; gives the conversation's id. */
async function starts(page, name, text, context, attrs) {
  return page.evaluate(
    async ({ token, text, context }) => {
      const session = await window.openSession(token);
      const { conversation } = await session.call("conversation.start", {
        shop: "shop-881",
        context,
        message: { client_id: crypto.randomUUID(), body: { type: "text", text } },
      });
      (window.sessions ??= {})[conversation.buyer.id] = { session, id: conversation.id };
      return conversation.id;
    },
    { token: tokenOf(name, attrs), text, context },
  );
}

const writes = (page, name, body) =>
  page.evaluate(
    ({ id, body }) =>
      window.sessions[id].session.call("message.send", {
        conversation: window.sessions[id].id,
        client_id: crypto.randomUUID(),
        body,
      }),
    { id: sub(name), body },
  );

async function sendCard(page, kind, fields) {
  await page.getByRole("button", { name: "Send a card" }).click();
  await page.getByRole("menuitem", { name: kind }).click();
  for (const [label, value] of Object.entries(fields)) await page.getByRole("dialog").getByLabel(label).fill(value);
  await page.getByRole("dialog").getByRole("button", { name: "Send" }).click();
}

const front = await person();
await front.goto(daemon.url);
await front.getByRole("link", { name: /Mei/ }).first().waitFor();
await picture(front, "front");
const frontPhone = await person(PHONE);
await frontPhone.goto(daemon.url);
await frontPhone.getByRole("link", { name: /Mei/ }).first().waitFor();
await picture(frontPhone, "front-phone");
const gate = await person();
await gate.goto(`${daemon.url}/console`);
await picture(gate, "sign-in");

const outside = await crowd();
const offline = await buyer("dora");
await say(offline, "Hello, is anybody there at this hour?");
await picture(offline, "buyer-left-message");
for (const [name, text] of [
  ["孙立", "明天能发货吗？请回电"],
  ["Petra", "My parcel arrived open."],
  ["何欣", "想问下会员价"],
  ["Tom", "Do you have a shop in Shanghai?"],
  ["郑爽", "请问茶叶保质期多久"],
])
  await starts(outside, name, text, {});

const mei = await agent("mei");
await picture(mei, "console-away");
const wen = await agent("wen");
await wen.getByRole("button", { name: "Go online" }).click();
await picture(wen, "console-empty");
await wen.getByRole("tab", { name: /Queue/ }).click();
await wen.getByRole("option").first().click();
await picture(wen, "console-left-messages");
await wen.keyboard.press("Escape");
await wen.keyboard.press("Escape");
await wen.getByRole("tab", { name: /Mine/ }).click();
await mei.getByRole("button", { name: "Go online" }).click();
await mei.getByRole("option").first().waitFor();

for (const [name, text, context] of BUYERS)
  await starts(outside, name, text, context, name === "Jonas" ? { level: "gold", since: "2021" } : undefined);
await starts(outside, "Refunding", "I want a refund, the teapot is broken", {
  order: "88110077",
  order_stage: "refunding",
  product: "teapot-yixing",
});
await starts(outside, "Sven", "refund please", { order: "88110099" });
await wen.getByRole("option").first().waitFor();
await wen.getByRole("option", { name: /Refunding/ }).click();
await writes(outside, "Refunding", {
  type: "product",
  id: "teapot-yixing",
  title: "Yixing teapot, 220 ml",
  price: "¥ 268.00",
  url: "https://tea.example/p/teapot-yixing",
});
await writes(outside, "Refunding", {
  type: "image",
  url: "https://img.tea.example/broken.jpg",
  name: "broken-lid.jpg",
  size: 482113,
});
await say(wen, "I am sorry to hear that. Let me look at the order.");
await wen.getByRole("button", { name: "Note", exact: true }).click();
await say(wen, "Second broken lid this week, tell the warehouse.");
await say(wen, "We send you a new one today, no need to return the broken one.");
await writes(outside, "Refunding", { type: "order", id: "88110077", title: "Order of 21 November", price: "¥ 268.00" });
await writes(outside, "Refunding", {
  type: "text",
  text: "That is kind, thank you! Here is the order. https://tea.example/orders/88110077",
});
await wen.getByText("That is kind").first().waitFor();
await picture(wen, "console-conversation");
await wen.setViewportSize({ width: 1100, height: 760 });
await picture(wen, "console-narrow");
await wen.setViewportSize({ width: 1440, height: 860 });
await wen.getByRole("tab", { name: /Queue/ }).click();
await wen.getByRole("option").first().click();
await picture(wen, "console-queue");
await wen.getByRole("tab", { name: /Active/ }).click();
await wen.getByRole("option").first().click();
await wen.waitForTimeout(500);
await picture(wen, "console-all");
await wen.getByRole("tab", { name: /Mine/ }).click();
await wen.getByRole("option", { name: /Refunding/ }).click();
await wen.locator(".thread-head").getByRole("button", { name: "Transfer" }).click();
await picture(wen, "console-transfer");
await wen.keyboard.press("Escape");
await wen.locator("textarea").fill("/");
await picture(wen, "console-quick");
await wen.locator("textarea").fill("");
await wen.locator(".status-button").click();
await picture(wen, "console-status-menu");
await wen.keyboard.press("Escape");
await wen.keyboard.press("Escape");
await wen.keyboard.press("?");
await picture(wen, "console-help");
await wen.keyboard.press("Escape");
await wen.getByRole("option", { name: /Refunding/ }).click();
await wen.evaluate(() => document.activeElement.blur());
await wen.keyboard.press("w");
await wen.locator(".decision").first().waitFor();
await picture(wen, "console-decision");
await wen.keyboard.press("Escape");

await mei.getByRole("option").first().click();
await picture(mei, "console-agent");
await mei.getByRole("button", { name: "Transfer" }).click();
await picture(mei, "console-agent-transfer");
await mei.keyboard.press("Escape");

await wen.keyboard.press("2");
await wen.getByRole("rowheader", { name: /Before the sale/ }).waitFor();
await wen.waitForTimeout(1200);
await picture(wen, "desk");
await wen.keyboard.press("3");
await picture(wen, "whatif-empty");
await wen.locator("#whatif-text").fill("refund please");
await wen.getByRole("button", { name: "Try it" }).click();
await wen.getByText("Who was considered").waitFor();
await picture(wen, "whatif");
await wen.keyboard.press("Escape");
await wen.keyboard.press("1");

const queued = await buyer("queued", {});
await say(queued, "Which tea would you take for the evening?");
await queued.locator(".state").waitFor();
await picture(queued, "buyer-queued");

const jun = await agent("jun");
await jun.getByRole("button", { name: "Go online" }).click();
const asking = await person({ viewport: { width: 390, height: 780 } });
await asking.goto(`${daemon.url}/buyer?shop=shop-1204#token=${tokenOf("钱多多")}`);
await say(asking, "新款手机什么时候到货？");
await jun.locator(".offer").waitFor();
await picture(jun, "console-offer");
await jun.keyboard.press("a");
await jun.locator(".thread-head", { hasText: "钱多多" }).waitFor();
await say(jun, "您好！新款下周三到货，现在可以预订。");
await sendCard(jun, "Product", {
  Number: "phone-15",
  Title: "皓月 15 Pro 256 GB",
  Price: "¥ 4,999",
  "Address (https)": "https://haoyue.example/p/15",
});
await say(asking, "好的，预订要付定金吗？");
await say(jun, "需要 100 元定金，到货后抵扣。");
await jun.getByRole("combobox").pressSequentially("另");
await asking.locator(".log .typing").waitFor();
await picture(asking, "buyer-answered");
const ann = await agent("ann");
await ann.getByRole("button", { name: "Go online" }).click();
await ann.waitForTimeout(500);
await picture(ann, "console-ann");
await mei.bringToFront();
await mei
  .getByRole("option", { name: /dora/ })
  .click()
  .catch(() => {});
await say(mei, "Hello dora, yes, I am here now. What can I do for you?").catch(() => {});
await offline.bringToFront();
await offline.waitForTimeout(300);
await say(offline, "How long does green tea keep once the tin is open?");
await picture(offline, "buyer-active");
await offline.getByRole("button", { name: "End the conversation" }).click();
await offline
  .getByRole("dialog")
  .getByRole("button", { name: /End/ })
  .click({ timeout: 1000 })
  .catch(() => {});
await offline.locator(".rating").waitFor();
await picture(offline, "buyer-rating");
await offline.getByRole("button", { name: "4 of 5" }).click();
await offline.getByRole("button", { name: "Rate" }).click();
await picture(offline, "buyer-rated");

const shop = createServer((request, response) => {
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(
    `<!doctype html><meta name="viewport" content="width=device-width"><title>Lin's Tea House</title><style>body{font:16px/1.6 Georgia,serif;margin:0;color:#333;background:#faf8f3}header{padding:30px 60px;background:#2f4a3a;color:#fff}main{padding:30px 60px;display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:24px}div{background:#fff;border:1px solid #e5dfd0;padding:20px;height:200px}</style><header><h1>Lin's Tea House</h1>Teas from Hangzhou since 1902</header><main>${"<div><h3>Longjing</h3>Before the rains, 50 g<p>¥ 168</div>".repeat(8)}</main><script src="${daemon.url}/widget.js" data-shop="shop-881" data-title="Lin's Tea House" async></script>`,
  );
}).listen(homePort, "127.0.0.1");
for (const [name, options] of [
  ["widget", {}],
  ["widget-phone", PHONE],
]) {
  const page = await person(options);
  await page.goto(origin);
  await page.waitForFunction(() => window.fenliu);
  await picture(page, `${name}-closed`);
  await page.evaluate(() => window.fenliu.open());
  await page.waitForTimeout(900);
  await picture(page, `${name}-open`);
}

for (const [name, options] of [
  ["phone", PHONE],
  ["phone-zh", { ...PHONE, locale: "zh-CN" }],
]) {
  const page = await agent("wen", options);
  await page.waitForTimeout(500);
  await picture(page, `console-${name}-list`);
  await page.getByRole("option").first().click();
  await page.waitForTimeout(300);
  await picture(page, `console-${name}-thread`);
  await page.goBack();
  await page.locator(".rail-item").nth(1).click();
  await page.waitForTimeout(900);
  await picture(page, `console-${name}-desk`);
}
const stress = await crowd();
const HARD = [
  ["Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessen", "W".repeat(300), { product: "p".repeat(200), region: "地".repeat(80) }],
  ["一个特别特别长的中文名字后面还有公司名称杭州市西湖区龙井路茶叶进出口有限公司", "请问这款茶叶能不能开具增值税专用发票并且寄送到杭州市西湖区龙井路一百零八号三单元".repeat(4), {}],
  ["حسن عبد الرحمن", "هل يمكنني تغيير عنوان التسليم للطلب رقم 88120101 قبل يوم الخميس؟", { product: "شاي-أخضر" }],
  ["👩‍👩‍👧‍👦🍵🇨🇳 Émilie", "🎉🎉🎉", { source: "live" }],
];
for (const [name, text, context] of HARD) await starts(stress, name, text, { ...context, order_stage: "refunding" }, { level: ["gold", "钻石会员".repeat(12)] });
for (let n = 0; n < 105; n += 1) await writes(stress, HARD[1][0], { type: "text", text: `第 ${n} 行 🍵` });
const busy = await agent("bo");
await busy.getByRole("button", { name: "Go online" }).click();
for (const [name] of HARD) {
  await busy.getByRole("option", { name: name.slice(0, 12) }).waitFor({ timeout: 4000 }).catch(() => console.log("not with bo:", name));
}
await picture(busy, "stress-list");
for (const [n, [name]] of HARD.entries()) {
  const row = busy.getByRole("option", { name: name.slice(0, 12) });
  if ((await row.count()) === 0) continue;
  await row.click();
  await picture(busy, `stress-thread-${n}`);
}
await busy.setViewportSize({ width: 1280, height: 720 });
await busy.getByRole("button", { name: "Transfer" }).click();
await busy.locator(".target-detail").first().waitFor();
await picture(busy, "small-transfer");
await busy.keyboard.press("Escape");
await busy.setViewportSize({ width: 390, height: 844 });
await picture(busy, "stress-phone");

const chinese = await agent("wen", { locale: "zh-CN" });
await chinese.getByRole("option").first().click();
await picture(chinese, "console-zh");
await daemon.kill();
await chinese.waitForTimeout(600);
await picture(chinese, "console-reconnecting");
await browser.close();
shop.close();
await daemon.end();

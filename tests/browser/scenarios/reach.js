// Who cannot use a mouse, does not read English, has a small screen or a screen reader.

import { accessible, expect, say, until } from "../people.js";

const PHONE = { viewport: { width: 390, height: 780 } };

export function reach(world) {
  const { daemon, person, agent, buyer } = world;

  return {
    "a conversation from beginning to end by the keyboard alone": async () => {
      const mei = world.mei;
      await world.bo.close();
      const gus = await buyer("gus");
      await say(gus, "no mouse, please");
      await mei.bringToFront();
      await gus.getByText(/Mei is with you/i).waitFor();
      const press = async (...keys) => {
        for (const key of keys) await mei.keyboard.press(key);
      };
      await press("Escape", "Escape", "f");
      await mei.keyboard.type("gus");
      await press("Enter", "Escape");
      await mei.locator(".thread-head", { hasText: "gus" }).waitFor();
      await press("r");
      await mei.locator("textarea:focus").waitFor();
      await mei.keyboard.type("/hel");
      await press("Enter");
      await until(async () => (await mei.locator("textarea").inputValue()).startsWith("Hello gus"), "no quick reply");
      await press("Enter");
      await gus.getByText("How can I help").waitFor();
      await press("Escape", "n");
      await mei.keyboard.type("typed, not clicked");
      await press("Enter", "Escape");
      await mei.locator(".message.note", { hasText: "typed, not clicked" }).waitFor();
      await press("?");
      await mei.getByRole("dialog").getByText("Next conversation").waitFor();
      const gone = () => mei.locator("dialog").waitFor({ state: "detached" });
      await press("Escape");
      await gone();
      await press("t");
      await mei.getByRole("dialog").getByText("Note for whoever").waitFor();
      await press("Escape");
      await gone();
      await press("e");
      await mei.getByRole("dialog").getByText("Close the conversation?").waitFor();
      await press("Enter");
      await gus.getByText("This conversation has ended").waitFor();
    },

    "the way by Tab is visible and passes every control": async () => {
      const page = await agent("wen");
      const seen = new Set();
      for (let step = 0; step < 30; step += 1) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
          const element = document.activeElement;
          const style = getComputedStyle(element);
          const ring = style.outlineStyle !== "none" || style.boxShadow !== "none" || element === document.body;
          return {
            ring,
            name: element.getAttribute("aria-label") ?? element.title ?? element.textContent,
            tag: element.tagName,
          };
        });
        expect(at.ring, `the focus is not seen on ${at.tag} ${at.name}`);
        seen.add(at.name);
      }
      for (const name of ["Chats", "Desk", "What if", "Find", "Your status: Away"]) {
        expect(
          [...seen].some((one) => one?.includes(name)),
          `Tab does not reach ${name}`,
        );
      }
    },

    "Chinese, by the browser's language": async () => {
      const page = await agent("wen", { locale: "zh-CN" });
      await page.getByRole("tab", { name: /我的/ }).waitFor();
      await page.keyboard.press("2");
      await page.getByRole("heading", { name: "看板" }).waitFor();
      const words = await page.evaluate(() => document.body.innerText);
      const english = words.match(/\b(Waiting|Online|Offline|Groups|Agents|Desk|Served|Left)\b/g);
      expect(!english, `English words: ${english}`);
      const chat = await buyer("hua", { locale: "zh-CN" });
      await chat.getByPlaceholder("输入消息").waitFor();
    },

    "on a phone nothing is wider than the screen": async () => {
      const page = await agent("mei", { ...PHONE, locale: "zh-CN" });
      await narrow(page);
      await accessible(page);
      await page.getByRole("option").first().click();
      await page.locator("textarea").waitFor();
      await narrow(page);
      await accessible(page);
      await page.goBack();
      await page.getByRole("option").first().waitFor();
      const lead = await agent("wen", PHONE);
      await lead.locator(".rail-item", { hasText: "Desk" }).click();
      await lead.getByRole("rowheader", { name: "Before the sale" }).waitFor();
      await narrow(lead);
    },

    "every page is without serious faults for assistive technology, light and dark": async () => {
      const page = await person();
      for (const path of ["/", "/console", "/buyer?shop=shop-881", "/buyer?shop=nobody"]) {
        await page.goto(daemon.url + path);
        await page.locator("main").waitFor();
        await accessible(page);
      }
      const console = await agent("mei");
      await console.getByRole("option").first().click();
      await console.locator(".message").first().waitFor();
      await accessible(console);
      await console.getByRole("button", { name: "Transfer" }).click();
      await accessible(console);
      await console.context().close();
      const ida = await buyer("ida");
      await say(ida, "Is it fragrant?");
      await accessible(ida);
      await ida.getByRole("button", { name: "End the conversation" }).click();
      await ida.getByText("How did we do?").waitFor();
      await accessible(ida);
    },

    "the policy lets no script in and nobody frame the console": async () => {
      for (const [path, ancestors] of [
        ["/", "'none'"],
        ["/console", "'none'"],
        ["/buyer?shop=shop-881", world.home],
        ["/buyer?shop=nobody", "'none'"],
      ]) {
        const response = await fetch(daemon.url + path);
        const policy = response.headers.get("content-security-policy");
        expect(policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self';"), `${path}: ${policy}`);
        expect(policy.endsWith(`frame-ancestors ${ancestors}`), `${path}: ${policy}`);
        expect(!policy.includes("unsafe"), `${path}: ${policy}`);
      }
    },
  };
}

async function narrow(page) {
  const wide = await page.evaluate(() =>
    ["html", "main", ".page", ".log", ".list-pane"].filter((one) => {
      const element = document.querySelector(one);
      return element && element.scrollWidth > element.clientWidth;
    }),
  );
  expect(wide.length === 0, `wider than the phone: ${wide}`);
}

// The desk: who leads watches, takes, assigns, sets others' status and looks into decisions.

import { accessible, expect, say } from "../people.js";

export function desk(world) {
  const { agent, buyer } = world;
  let wen;
  let cleo;

  return {
    "a supervisor watches without being seen, and a note of hers reaches the agent": async () => {
      cleo = await buyer("cleo");
      await say(cleo, "Which tea for the evening?");
      await cleo.getByText(/is with you/i).waitFor();
      wen = await agent("wen");
      await wen.getByRole("tab", { name: /Active/ }).click();
      await wen.getByRole("option", { name: /cleo/ }).click();
      await wen.getByRole("button", { name: "Watch" }).click();
      await wen.getByText("You are watching").waitFor();
      await say(cleo, "It is for my mother");
      await wen.locator(".message", { hasText: "It is for my mother" }).waitFor();
      expect((await wen.getByRole("button", { name: "Reply" }).count()) === 0, "a watcher may reply");
      await say(wen, "recommend the white one");
      const owner = (await cleo.getByText(/Mei is with you/i).count()) > 0 ? world.mei : world.bo;
      await owner.getByRole("option", { name: /cleo/ }).click();
      await owner.locator(".message.note", { hasText: "recommend the white one" }).waitFor();
      expect((await cleo.getByText("recommend the white one").count()) === 0, "the buyer sees a note");
    },

    "the board is live, and sets another's status": async () => {
      await wen.keyboard.press("Escape");
      await wen.keyboard.press("2");
      await wen.getByRole("rowheader", { name: "Before the sale" }).waitFor();
      const mei = wen.getByRole("row", { name: /Mei/ });
      await mei.getByText("Online").waitFor();
      await wen.getByRole("button", { name: "Set the status of Mei" }).click();
      await wen.getByRole("menuitemradio", { name: "Set to Away" }).click();
      await mei.getByText("Away").waitFor();
      await wen.locator(".chart-svg .reply-dot").first().waitFor();
      await world.mei.getByText("You are away").waitFor();
      await setStatus(world.mei, "Online");
      await mei.getByText("Online").waitFor();
      await accessible(wen);
    },

    "a decision is looked into, and what would happen if": async () => {
      await wen.keyboard.press("1");
      await wen.getByRole("option", { name: /cleo/ }).click();
      await wen.getByRole("button", { name: "See the decisions" }).click();
      await wen.getByText("Who was considered").first().waitFor();
      await accessible(wen);
      await wen.keyboard.press("Escape");
      await wen.locator(".rail-item", { hasText: "What if" }).click();
      await wen.locator("#whatif-text").fill("please ask somebody");
      await wen.getByRole("button", { name: "Try it" }).click();
      await wen.locator(".outcome", { hasText: "Asked first" }).waitFor();
      await accessible(wen);
    },
  };
}

async function setStatus(page, status) {
  await page.bringToFront();
  await page.locator(".status-button").click();
  await page.getByRole("menuitemradio", { name: new RegExp(`^${status}`) }).click();
  await page.locator(".status-button", { hasText: status }).waitFor();
}

// Who leads sees from the desk who waits, gives it to somebody or takes it; and what a buyer came with before.

import { expect, startAs } from "../people.js";

export function leading(world) {
  const { daemon, agent } = world;
  let wen;
  const starts = (id, source, text) =>
    world.outside.evaluate(startAs, { id, token: daemon.sign({ role: "buyer", sub: id, name: id }), source, text });
  const toQueue = async () => {
    await wen.keyboard.press("Escape");
    await wen.keyboard.press("Escape");
    await wen.keyboard.press("2");
    await wen.getByRole("row", { name: /In a hurry/ }).getByRole("button", { name: /left message/ }).click();
    await wen.getByRole("tab", { name: /Queue/, selected: true }).waitFor();
  };

  return {
    "the desk leads to what waits in a group, and it is assigned to somebody with room": async () => {
      await starts("uma", "hurried", "nobody is here yet");
      await starts("ula", "hurried", "me neither");
      const mei = (world.mei = await agent("mei"));
      wen = await agent("wen");
      await toQueue();
      await wen.getByRole("option", { name: /uma/ }).click();
      await wen.getByRole("button", { name: "Assign" }).click();
      await wen.getByRole("dialog").locator(".target.free", { hasText: "Mei" }).waitFor();
      await wen.getByRole("radio", { name: /Mei/ }).check();
      await wen.getByRole("dialog").getByRole("button", { name: "Assign" }).click();
      await wen.getByText("Assigned to Mei").waitFor();
      await mei.getByRole("option", { name: /uma/ }).click();
      await mei.locator(".details-pane", { hasText: "A supervisor gave it to you." }).waitFor();
    },

    "a supervisor takes what was left": async () => {
      await wen.getByRole("button", { name: "Go online" }).click();
      await toQueue();
      await wen.getByRole("option", { name: /ula/ }).click();
      await wen.getByRole("button", { name: "Take it" }).click();
      await wen.locator(".thread-head", { hasText: "with you" }).waitFor();
      await wen.getByRole("tab", { name: /Mine/ }).click();
      await wen.getByRole("option", { name: /ula/ }).waitFor();
      await world.outside.evaluate(() => window.buyers.ula.close());
      await wen.getByRole("option", { name: /ula/ }).waitFor({ state: "detached" });
    },

    "the desk leads to what somebody has in hand": async () => {
      await wen.keyboard.press("2");
      await wen.getByRole("row", { name: /Mei/ }).getByRole("button", { name: /in hand/ }).click();
      await wen.getByRole("tab", { name: /Active/, selected: true }).waitFor();
      await wen.getByRole("option", { name: /uma/ }).waitFor();
    },

    "what a buyer asked before stands beside what it asks now": async () => {
      const { mei } = world;
      await starts("vic", "shop", "does it come in a tin");
      await mei.getByRole("option", { name: /vic/ }).waitFor();
      await world.outside.evaluate(() => window.buyers.vic.close());
      await mei.getByRole("option", { name: /vic/ }).waitFor({ state: "detached" });
      await starts("vic", "shop", "and in a box");
      await mei.getByRole("option", { name: /vic/ }).click();
      await mei.locator(".message", { hasText: "and in a box" }).waitFor();
      await mei.locator(".earlier", { hasText: "Closed" }).click();
      const dialog = mei.getByRole("dialog");
      await dialog.locator(".message", { hasText: "does it come in a tin" }).waitFor();
      expect((await dialog.locator("textarea").count()) === 0, "what is over can be written to");
      await mei.keyboard.press("Escape");
    },
  };
}

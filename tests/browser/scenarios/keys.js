// Whoever leads and whoever serves, by the keyboard alone; and what an agent sees of a pause that others set.

import { expect, startAs, until } from "../people.js";

export function keys(world) {
  const { daemon, agent } = world;
  let nia;
  const starts = (id, source, text) =>
    world.outside.evaluate(startAs, { id, token: daemon.sign({ role: "buyer", sub: id, name: id }), source, text });
  const press = async (page, ...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.value);
  const closed = (page) => page.locator("dialog").waitFor({ state: "detached" });
  /** Opens the transfer of a conversation, and waits until it is known who is free. */
  const openTransfer = async (page) => {
    await press(page, "t");
    await page.locator(".target", { hasText: "Quan" }).waitFor();
  };

  return {
    "a status is set by keys alone, and the keys stay where they were": async () => {
      nia = await agent("nia");
      await press(nia, "s");
      await nia.getByRole("menuitemradio", { checked: true }).waitFor();
      await press(nia, "Home", "ArrowDown", "Enter");
      await nia.locator(".status-button", { hasText: "Away" }).waitFor();
      await press(nia, "s", "ArrowUp", "Enter");
      await nia.locator(".status-button", { hasText: "Online" }).waitFor();
      expect((await focused(nia)).startsWith("Your status"), `the keys are at ${await focused(nia)}`);
      await press(nia, "s", "End", "Escape");
      await nia.locator(".menu").waitFor({ state: "detached" });
      await nia.locator(".status-button", { hasText: "Online" }).waitFor();
    },

    "a conversation is handed to a group by keys alone, with a note": async () => {
      const { mei } = world;
      await starts("ned", "shop", "no mouse here either");
      await press(mei, "Escape", "Escape", "f");
      await mei.keyboard.type("ned");
      await press(mei, "Enter", "Escape");
      await mei.locator(".thread-head", { hasText: "ned" }).waitFor();
      await openTransfer(mei);
      await mei.keyboard.type("of her own");
      await press(mei, "ArrowDown");
      await mei.getByRole("radio", { name: /One of her own/, checked: true }).waitFor();
      await press(mei, "Tab");
      await mei.keyboard.type("speaks Dutch");
      await press(mei, "Tab", "Tab", "Enter");
      await closed(mei);
      await nia.getByRole("option", { name: /ned/ }).waitFor();
      await press(nia, "j");
      await nia.locator(".message.note", { hasText: "speaks Dutch" }).waitFor();
    },

    "and to a person, who is found by name; Enter alone sends nothing to nobody": async () => {
      const { mei } = world;
      await openTransfer(nia);
      await press(nia, "Enter");
      await nia.getByRole("alert").filter({ hasText: "Choose who it goes to." }).waitFor();
      await nia.keyboard.type("mei");
      await nia.locator(".target", { hasText: "Quan" }).waitFor({ state: "detached" });
      await press(nia, "Enter");
      await nia.getByRole("radio", { name: /Mei/, checked: true }).waitFor();
      await press(nia, "Tab");
      await nia.keyboard.type("back to you");
      await press(nia, "Control+Enter");
      await closed(nia);
      await nia.getByRole("option", { name: /ned/ }).waitFor({ state: "detached" });
      await mei.getByRole("option", { name: /ned/ }).click();
      await mei.locator(".message.note", { hasText: "back to you" }).waitFor();
      await world.outside.evaluate(() => window.buyers.ned.close());
      await press(nia, "s", "End", "Enter");
      await nia.getByRole("dialog").getByText("Hand over your conversations?").waitFor();
      await press(nia, "Enter");
      await nia.locator(".status-button", { hasText: "Offline" }).waitFor();
      await nia.context().close();
    },

    "an agent of two sellers is paused for one of them: it is told, also after a reload, keeps its status, and ends it by itself": async () => {
      const wen = await agent("wen");
      const sol = await agent("sol");
      await sol.getByRole("button", { name: "Go online" }).click();
      await press(wen, "2");
      const row = wen.getByRole("row", { name: /Sol/ });
      await row.getByText("Online").waitFor();
      await wen.getByRole("button", { name: "Set the status of Sol" }).click();
      await wen.getByRole("menuitemradio", { name: "Set to Away" }).click();
      await row.getByText("Away").waitFor();
      await sol.locator(".toast", { hasText: "You are paused for Lin's Tea House (Away)" }).waitFor();
      await sol.getByText("A supervisor has paused you for Lin's Tea House.").waitFor();
      await sol.locator(".status-button", { hasText: "Online" }).waitFor();
      await sol.reload();
      await sol.getByText("A supervisor has paused you for Lin's Tea House.").waitFor();
      await sol.locator(".status-button", { hasText: "Online" }).waitFor();
      await sol.getByRole("button", { name: "Go online" }).click();
      await sol.locator(".toast", { hasText: "You are no longer paused for Lin's Tea House." }).waitFor();
      await row.getByText("Online").waitFor();
      await until(() => sol.getByText("A supervisor has paused you").isHidden(), "the pause is still there");
      await sol.context().close();
      await wen.context().close();
    },
  };
}

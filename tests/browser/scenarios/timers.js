// How long somebody waits for an answer is seen, and turns at the warning and at the limit.

import { expect, say, startAs } from "../people.js";

export function timers(world) {
  const { daemon, agent } = world;

  return {
    "a timer turns at the warning and at the limit, and rests when it is answered": async () => {
      const pam = (world.pam = await agent("pam"));
      await pam.getByRole("button", { name: "Go online" }).click();
      const token = daemon.sign({ role: "buyer", sub: "zoe", name: "zoe" });
      await world.outside.evaluate(startAs, { id: "zoe", token, source: "hurried" });
      const row = pam.getByRole("option", { name: /zoe/ });
      await row.locator(".row-timer.waiting").waitFor();
      await row.locator(".row-timer.warning").waitFor();
      const warned = await row.locator(".row-timer").textContent();
      await row.locator(".row-timer.overdue").waitFor();
      const late = await row.locator(".row-timer").textContent();
      expect(warned >= "0:01" && warned < late && late <= "0:07", `warned at ${warned}, late at ${late}`);
      await row.click();
      await say(pam, "Here I am");
      await row.locator(".row-timer:not(.waiting):not(.warning):not(.overdue)").waitFor();
      await world.outside.evaluate(() => window.buyers.zoe.say("and now"));
      await row.locator(".row-timer.waiting").waitFor();
      await row.locator(".row-timer.warning").waitFor();
    },
  };
}

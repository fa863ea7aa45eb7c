// Sign-ins that run out, rights that change, accounts that are removed.

import { expect, until, wire } from "../people.js";

export function signin(world) {
  const { daemon, agent, person } = world;
  const opened = ({ sent }) => sent.filter((text) => text.includes("session.open")).length;

  return {
    "a sign-in that runs out is asked for again, and what was being written is still there": async () => {
      const between = wire();
      const page = await person({ wire: between });
      const soon = Math.floor(Date.now() / 1000) + 6;
      const { pam } = world;
      await pam.context().close();
      await page.goto(`${daemon.url}/console#token=${daemon.sign({ role: "staff", sub: "pam", exp: soon })}`);
      await page.getByText("Your sign-in is about to expire.").waitFor();
      await page.getByRole("option", { name: /zoe/ }).click();
      await page.locator("textarea").fill("let me think");
      await page.getByRole("alert").filter({ hasText: "may have expired" }).waitFor({ timeout: 15000 });
      expect(opened(between) === 1, "it came back by itself");
      await page.getByLabel("Token").fill(daemon.sign({ role: "staff", sub: "pam" }));
      await page.keyboard.press("Enter");
      await page.getByRole("option", { name: /zoe/ }).click();
      await until(async () => (await page.locator("textarea").inputValue()) === "let me think", "the draft is gone");
      await page.locator("textarea").fill("");
      await page.context().close();
    },

    "who is given more rights has them without a reload": async () => {
      const between = wire();
      const pam = (world.pam = await agent("pam", { wire: between }));
      await pam.getByRole("option", { name: /zoe/ }).click();
      expect(await pam.locator(".rail-item", { hasText: "Desk" }).isHidden(), "an agent has a desk");
      await daemon.reload((text) => text.replace(/(sub_account = "pam"\s+role = )"agent"/, '$1"lead"'));
      await pam.getByText("Your rights or groups have changed.").waitFor();
      await pam.locator(".rail-item", { hasText: "Desk" }).click();
      await pam.getByRole("rowheader", { name: "In a hurry" }).waitFor();
      expect(opened(between) === 2, `${opened(between)} sessions`);
      await pam.locator(".rail-item", { hasText: "Chats" }).click();
    },

    "who loses rights is left where it may be": async () => {
      const { pam } = world;
      await pam.locator(".rail-item", { hasText: "Desk" }).click();
      await daemon.reload((text) => text.replace(/(sub_account = "pam"\s+role = )"lead"/, '$1"agent"'));
      await pam.locator(".rail-item", { hasText: "Desk" }).waitFor({ state: "hidden" });
      await pam.getByRole("option", { name: /zoe/ }).waitFor();
    },

    "an account that is removed is told so, and does not come back": async () => {
      const { pam } = world;
      await daemon.reload((text) =>
        text
          .replace(/\[\[sub_account\]\]\nid = "pam"\n[^[]*/, "")
          .replace(/\[\[seller.authorization\]\]\n\s*sub_account = "pam"\n[^[]*/, "")
          .replace('members = ["pam"]', "members = []"),
      );
      await pam.getByRole("alert").filter({ hasText: "This account has been removed." }).waitFor();
      await pam.context().close();
    },
  };
}

// Who looks elsewhere is told: by a sound, the title and a notification; who looks is left in peace.

import { expect, startAs, until } from "../people.js";

export function alerts(world) {
  const { daemon, agent, crowd } = world;
  let nia;
  let outside;
  const told = () => nia.evaluate(() => window.told);
  const look = (on) => nia.evaluate((looks) => window.look(looks), on);
  const choose = async (label) => {
    await nia.getByRole("button", { name: "Account" }).click();
    await nia.getByRole("menuitem", { name: label }).click();
  };
  const writes = (id, text) => outside.evaluate(({ id, text }) => window.buyers[id].say(text), { id, text });

  return {
    "whoever looks at a conversation is not notified of it": async () => {
      nia = await agent("nia", { script: recorded });
      await nia.getByRole("button", { name: "Go online" }).click();
      await choose("Turn desktop notifications on");
      outside = await crowd();
      for (const id of ["pia", "rex"])
        await outside.evaluate(startAs, {
          id,
          token: daemon.sign({ role: "buyer", sub: id, name: `<i>${id}</i>` }),
          source: "calm",
        });
      await nia.getByRole("option", { name: /pia/ }).waitFor();
      await until(async () => (await nia.title()).startsWith("(2) "), "the title does not count");
      expect((await told()).sounds > 0, "no sound for a conversation that comes");
      await nia.getByRole("option", { name: /pia/ }).click();
      await until(async () => (await nia.title()).startsWith("(1) "), "what is looked at counts");
      const before = await told();
      await writes("pia", "are you looking");
      await nia.locator(".message", { hasText: "are you looking" }).waitFor();
      const after = await told();
      expect(after.notes.length === 0 && after.sounds === before.sounds, "it rings in one's face");
      expect((await nia.title()).startsWith("(1) "), "what is looked at counts");
    },

    "whoever looks away is notified, and a click on it opens the conversation": async () => {
      await look(false);
      await until(async () => {
        await writes("rex", "<b>anybody</b> there");
        return (await told()).notes.length > 0;
      }, "no notification");
      const { notes, sounds } = await told();
      expect(notes[0].title === "<i>rex</i>" && notes[0].body === "<b>anybody</b> there", JSON.stringify(notes));
      expect(sounds > 0, "no sound");
      await look(true);
      await nia.evaluate(() => window.told.notes[0].onclick());
      await nia.locator(".thread-head", { hasText: "rex" }).waitFor();
      await nia.waitForFunction(() => !document.title.startsWith("("));
    },

    "the sound is switched off, and stays off": async () => {
      await choose("Turn sound off");
      await nia.reload();
      await nia.getByRole("option", { name: /pia/ }).click();
      await look(false);
      const before = (await told()).notes.length;
      await writes("pia", "in silence");
      await until(async () => (await told()).notes.length > before, "no notification after a reload");
      expect((await told()).sounds === 0, "it rings though it was switched off");
      await outside.evaluate(() => Promise.all(Object.values(window.buyers).map(({ close }) => close())));
      await nia.context().close();
    },
  };
}

/** Runs in the console before its own scripts: sounds and notifications are written down, and `look` says whether somebody looks. */
function recorded() {
  window.told = { sounds: 0, notes: [] };
  let looks = true;
  window.look = (on) => ((looks = on), dispatchEvent(new Event(on ? "focus" : "blur")));
  document.hasFocus = () => looks;
  window.Notification = class {
    static permission = sessionStorage.getItem("permission") ?? "default";
    static requestPermission = async () => {
      sessionStorage.setItem("permission", "granted");
      return (Notification.permission = "granted");
    };
    constructor(title, { body }) {
      Object.assign(this, { title, body, close() {} });
      window.told.notes.push(this);
    }
  };
  const Real = window.AudioContext;
  window.AudioContext = class extends Real {
    get state() {
      return "running";
    }
    createOscillator() {
      window.told.sounds += 1;
      return super.createOscillator();
    }
  };
}

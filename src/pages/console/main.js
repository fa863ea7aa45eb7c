// Starts the console: signs in, ties store, session and views together, and draws anew when the language changes.

import { fill } from "../shared/dom.js";
import { addWords, t } from "../shared/i18n.js";
import { takeFragment, tokens } from "../shared/token.js";
import { Actions } from "./actions.js";
import { Alerts } from "./alerts.js";
import { Kept } from "./kept.js";
import { Session } from "./session.js";
import { listenForShortcuts } from "./shortcuts.js";
import { Store } from "./store.js";
import { shell } from "./views/shell.js";
import { signIn } from "./views/signin.js";
import { englishDesk } from "./words/desk-en.js";
import { chineseDesk } from "./words/desk-zh.js";
import { english } from "./words/en.js";
import { chinese } from "./words/zh.js";

const PHONE = matchMedia("(max-width: 760px)");
const TOKEN_KEY = "fenliu.console.token";

const kept = new Kept();

addWords({ en: english, zh: chinese });
addWords({ en: englishDesk, zh: chineseDesk });

function begin() {
  const fragment = takeFragment();
  if (fragment.has("token")) tokens.keep(TOKEN_KEY, fragment.get("token"));
  const token = fragment.get("token") ?? tokens.read(TOKEN_KEY);
  if (token) run(token, fragment);
  else askForToken();
}

function askForToken(error) {
  document.title = t("console.title");
  const again = () => askForToken(error);
  const accept = (token) => {
    tokens.keep(TOKEN_KEY, token);
    run(token, new URLSearchParams());
  };
  fill(document.body, signIn({ error, accept, redraw: again }));
}

function run(token, fragment) {
  const store = new Store(kept);
  const app = { store, view: fragment.get("view") ?? "chat" };
  app.show = (id) => {
    app.go("chat");
    return app.actions.show(id);
  };
  /** Shows a tab of the list with only what fits. */
  app.seek = (tab, query) => {
    Object.assign(app, { tab, query });
    app.actions.show(null);
    app.go("chat");
  };
  app.alerts = new Alerts({
    store,
    show: app.show,
    listInSight: () => app.view === "chat" && (!PHONE.matches || !store.selected),
  });
  app.session = new Session({
    store,
    token,
    alerts: app.alerts,
    refused(error) {
      tokens.forget(TOKEN_KEY);
      app.leave();
      askForToken(error);
    },
  });
  app.actions = new Actions({ store, session: app.session });
  app.refreshToken = async (fresh) => {
    await app.session.call("session.refresh", { token: fresh });
    tokens.keep(TOKEN_KEY, fresh);
    app.session.token = fresh;
    store.expiring = false;
    store.touch("connection");
  };
  app.leave = () => {
    app.undraw?.();
    app.session.stop();
    endShortcuts();
  };
  app.signOut = () => {
    tokens.forget(TOKEN_KEY);
    app.leave();
    askForToken();
  };
  app.draw = () => {
    app.undraw?.();
    const drawn = shell(app);
    app.undraw = drawn.dispose;
    fill(document.body, drawn.element);
  };
  app.go = (view) => {
    if (app.view === view) return;
    app.view = view;
    store.touch("view");
  };
  const endShortcuts = listenForShortcuts(app);
  addEventListener("focus", () => {
    const record = store.record(store.selected);
    if (record && app.view === "chat") app.session.markRead(record);
  });
  addEventListener("popstate", () => {
    if (store.selected && PHONE.matches) app.actions.show(null);
  });
  app.draw();
  app.session.start();
}

begin();

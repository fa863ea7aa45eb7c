// The frame of the console: rail, banner and the view that is open.

import { fill, h, setAttribute, setText, show } from "../../shared/dom.js";
import { openDialog, openMenu } from "../../shared/dialog.js";
import { icon } from "../../shared/icons.js";
import { t } from "../../shared/i18n.js";
import { refusalText } from "../actions.js";
import { openHelp } from "./help.js";
import { chatView } from "./chat.js";
import { deskView } from "./desk.js";
import { preferences } from "../../shared/preferences.js";
import { avatar, setAvatar } from "./status.js";
import { whatIfView } from "./whatif.js";

const VIEWS = { chat: chatView, desk: deskView, whatif: whatIfView };

export function shell(app) {
  const { store } = app;
  const stage = h("main.stage", { id: "stage" });
  const banner = connectionBanner(app);
  const rail = railElement(app);
  let open = null;
  const draw = () => {
    // A right that is taken away closes what stood on it.
    if (store.identity && !rail.allows(app.view)) app.view = "chat";
    if (open?.name === app.view) return;
    open?.dispose?.();
    open = { name: app.view, ...VIEWS[app.view](app) };
    fill(stage, open.element);
    rail.update();
  };
  const ends = [
    store.on(["view", "identity"], draw),
    store.on(["connection"], banner.update),
    store.on(["identity", "list", "desk"], rail.update),
  ];
  const ticking = setInterval(banner.update, 1000);
  draw();
  banner.update();
  return {
    element: h(
      "div.app",
      {},
      h("a.skip", { href: "#stage" }, t("skip")),
      rail.element,
      h("div.column", {}, banner.element, stage),
    ),
    dispose() {
      clearInterval(ticking);
      ends.forEach((end) => end());
      open?.dispose?.();
    },
  };
}

function railElement(app) {
  const { store } = app;
  const entries = [
    ["chat", "chat", () => true],
    ["desk", "desk", () => store.sellersWith("desk.view").length > 0],
    ["whatif", "whatif", () => store.sellersWith("routing.explain").length > 0],
  ].map(([name, glyph, allowed]) => {
    const badge = h("span.badge", { hidden: true });
    const button = h(
      "button.rail-item",
      { type: "button", title: t(`nav.${name}`), on: { click: () => app.go(name) } },
      icon(glyph, 20),
      h("span.rail-label", {}, t(`nav.${name}`)),
      badge,
    );
    return { name, button, badge, allowed };
  });
  const account = h(
    "button.icon-button",
    {
      type: "button",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-label": t("account.menu"),
      title: t("account.menu"),
    },
    avatar("", "", "small"),
  );
  account.addEventListener("click", () => openMenu(account, accountItems(app)));
  const element = h(
    "nav.rail",
    { "aria-label": t("nav.label") },
    h("img.rail-mark", { src: "/assets/shared/icon.svg", alt: "fenliu", width: "30", height: "30" }),
    entries.map((entry) => entry.button),
    h("div.rail-space"),
    preferences({ redraw: app.draw }),
    h(
      "button.icon-button",
      { type: "button", "aria-label": t("help.title"), title: `${t("help.title")} (?)`, on: { click: openHelp } },
      icon("help"),
    ),
    account,
  );
  const update = () => {
    setAvatar(account.firstChild, store.identity?.name || store.me || "…", store.me ?? "");
    for (const { name, button, badge, allowed } of entries) {
      show(button, allowed());
      setAttribute(button, "aria-current", app.view === name ? "page" : null);
      const count =
        name === "chat" ? store.mine().filter((record) => record.unread > 0).length + store.offers().length : 0;
      show(badge, count > 0);
      setText(badge, count > 99 ? "99+" : count);
    }
  };
  update();
  return { element, update, allows: (view) => entries.find(({ name }) => name === view).allowed() };
}

function accountItems(app) {
  const { store, alerts } = app;
  return [
    { label: store.identity?.name || store.me || "…", hint: store.me, icon: "user", disabled: true, run() {} },
    null,
    {
      label: alerts.sound ? t("account.sound_off") : t("account.sound_on"),
      icon: alerts.sound ? "bell" : "belloff",
      run: () => alerts.setSound(!alerts.sound),
    },
    {
      label: alerts.desktop ? t("account.desktop_off") : t("account.desktop_on"),
      icon: "panel",
      run: () => alerts.setDesktop(!alerts.desktop),
    },
    { label: t("help.title"), icon: "help", keys: "?", run: openHelp },
    null,
    { label: t("account.sign_out"), icon: "out", run: app.signOut },
  ];
}

/** Says what the connection is doing whenever it is not simply there. */
function connectionBanner(app) {
  const { store } = app;
  const text = h("span");
  const retry = h(
    "button.link",
    { type: "button", on: { click: () => app.session.connection.retryNow() } },
    t("connection.retry"),
  );
  const renew = h("button.link", { type: "button", on: { click: () => openRenewal(app) } }, t("expiring.do"));
  const element = h(
    "div.banner",
    { role: "status", hidden: true },
    h("span.spinner", { "aria-hidden": "true" }),
    text,
    retry,
    renew,
  );
  let everOpen = false;
  const update = () => {
    const { state, detail } = store.connection;
    everOpen ||= state === "open";
    const waiting = state === "waiting";
    show(element, state !== "open" || Boolean(store.expiring));
    show(retry, waiting);
    show(renew, state === "open" && Boolean(store.expiring));
    element.classList.toggle("quiet", state === "open" || !everOpen);
    if (waiting)
      setText(text, t("connection.waiting", { seconds: Math.max(0, Math.ceil((detail.retryAt - Date.now()) / 1000)) }));
    else if (state === "open") setText(text, store.expiring ? t("expiring.text") : "");
    else setText(text, t(everOpen ? "connection.again" : "connection.first"));
  };
  return { element, update };
}

function openRenewal(app) {
  const field = h("textarea.input.token-field", { id: "fresh-token", rows: "4", required: true, spellcheck: "false" });
  const problem = h("p.notice.bad", { role: "alert", hidden: true });
  openDialog({
    title: t("expiring.do"),
    body: h("div", {}, problem, h("label.field", { for: "fresh-token" }, h("span", {}, t("signin.token")), field)),
    actions: [
      { label: t("dialog.cancel") },
      {
        label: t("expiring.do"),
        tone: "primary",
        submits: true,
        async run() {
          try {
            await app.refreshToken(field.value.trim());
            return true;
          } catch (error) {
            setText(problem, refusalText(error));
            show(problem, true);
            return false;
          }
        },
      },
    ],
  });
}

// The front page: what this is and where things are; with the daemon's dev mode, links that sign in.

import { fill, h } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { t, word } from "../shared/i18n.js";
import { preferences } from "../shared/preferences.js";

let dev = null;

function draw() {
  const mark = h("img", { src: "/assets/shared/icon.svg", alt: "", width: "48", height: "48" });
  const name = h(
    "div.front-name",
    {},
    h("h1", {}, "fenliu ", h("span.muted", { lang: "zh" }, "分流")),
    h("p.muted", {}, t("index.lead")),
  );
  fill(
    document.body,
    h(
      "main.front",
      {},
      h("header.front-head", {}, mark, name, preferences({ redraw: draw })),
      dev ? tryIt() : notHere(),
      places(),
    ),
  );
}

function notHere() {
  return h("section.panel", {}, h("h2", {}, t("index.dev")), h("p.muted", {}, t("index.none")));
}

/** Three steps, then every shop with those who answer for it. */
function tryIt() {
  const steps = ["index.step_console", "index.step_online", "index.step_chat"].map((step) => h("li", {}, t(step)));
  return h(
    "section.try",
    {},
    h("div.panel.try-how", {}, h("h2", {}, t("index.dev")), h("ol.try-steps", {}, steps)),
    dev.shops.map(shopCard),
  );
}

function shopCard(shop) {
  const address = `/buyer?shop=${encodeURIComponent(shop.shop)}`;
  const asBuyer = `${address}#token=${encodeURIComponent(shop.token)}`;
  return h(
    "article.panel.shop",
    {},
    h("h2", { dir: "auto" }, shop.name),
    h(
      "div.shop-chats",
      {},
      newTab("a.button.primary.small", asBuyer, icon("chat", 16), t("index.open_chat")),
      dev.visitors && newTab("a.button.small", address, t("index.visitor")),
    ),
    h("h3", {}, t("index.accounts")),
    h(
      "ul.people",
      {},
      shop.accounts.map((account) => h("li", {}, accountLink(account))),
    ),
  );
}

function accountLink({ id, name, role, token }) {
  const address = `/console#token=${encodeURIComponent(token)}`;
  return newTab(
    "a.person",
    address,
    h("strong", { dir: "auto" }, name || id),
    h("small.muted", {}, word("role", role)),
  );
}

function newTab(tag, href, ...content) {
  return h(tag, { href, target: "_blank", rel: "noopener" }, content);
}

function places() {
  const tag = `<script src="${location.origin}/widget.js" data-shop="SHOP" async></script>`;
  return h(
    "section.places",
    {},
    place("index.console", "index.console_text", h("a.button", { href: "/console" }, "/console")),
    place("index.widget", "index.widget_text", h("code", {}, tag)),
    place("index.api", "index.api_text", h("a.button", { href: "/openrpc.json" }, "/openrpc.json")),
  );
}

function place(title, text, content) {
  return h("div.panel", {}, h("h2", {}, t(title)), h("p.muted", {}, t(text)), content);
}

draw();
const response = await fetch("/dev.json").catch(() => null);
if (response?.ok) {
  dev = await response.json();
  draw();
}

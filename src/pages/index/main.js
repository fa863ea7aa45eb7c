// The front page: what this is and where things are; with the daemon's dev mode, links that sign in.

import { fill, h } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { preferences } from "../shared/preferences.js";

let dev = null;

function draw() {
  const tag = `<script src="${location.origin}/widget.js" data-shop="SHOP" async></script>`;
  fill(
    document.body,
    h(
      "main.front",
      {},
      h(
        "header",
        {},
        h("img", { src: "/assets/shared/icon.svg", alt: "", width: "44", height: "44" }),
        h("div", {}, h("h1", {}, "fenliu 分流"), h("p.muted", {}, t("index.lead"))),
        preferences({ redraw: draw }),
      ),
      dev ? devLinks() : h("p.panel.muted", {}, t("index.none")),
      h(
        "section.places",
        {},
        placeCard("index.console", "index.console_text", h("a.button", { href: "/console" }, "/console")),
        placeCard("index.widget", "index.widget_text", h("code", {}, tag)),
        placeCard("index.api", "index.api_text", h("a.button", { href: "/openrpc.json" }, "/openrpc.json")),
      ),
    ),
  );
}

function placeCard(title, text, content) {
  return h("div.panel", {}, h("h2", {}, t(title)), h("p.muted", {}, t(text)), content);
}

function devLinks() {
  const consoles = dev.accounts.map((account) =>
    h(
      "li",
      {},
      h(
        "a.button",
        { href: `/console#token=${encodeURIComponent(account.token)}`, target: "_blank", rel: "noopener" },
        h("strong", {}, account.name || account.id),
        h("small.muted", {}, [account.role, account.seller].filter(Boolean).join(" · ")),
      ),
    ),
  );
  const shops = dev.shops.map((shop) => {
    const address = `/buyer?shop=${encodeURIComponent(shop.shop)}`;
    return h(
      "li",
      {},
      h(
        "a.button",
        { href: `${address}#token=${encodeURIComponent(shop.token)}`, target: "_blank", rel: "noopener" },
        h("strong", {}, shop.name),
        h("small.muted", {}, t("index.open_chat")),
      ),
      dev.visitors && h("a", { href: address, target: "_blank", rel: "noopener" }, t("index.visitor")),
    );
  });
  return h(
    "section.panel",
    {},
    h("h2", {}, t("index.dev")),
    h("p.muted", {}, t("index.dev_text")),
    h(
      "div.dev",
      {},
      h("div", {}, h("h3", {}, t("index.accounts")), h("ul", {}, consoles)),
      h("div", {}, h("h3", {}, t("index.shops")), h("ul", {}, shops)),
    ),
  );
}

draw();
const response = await fetch("/dev.json").catch(() => null);
if (response?.ok) {
  dev = await response.json();
  draw();
}

// What a message says, as elements. Whatever came from outside is text or an address that was checked; nothing is markup.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { number, t } from "./i18n.js";

const LINK = /https?:\/\/[^\s<>"'()（）【】《》，。；！？、]+/giu;

/** The element of a body. */
export function bodyElement(body) {
  switch (body?.type) {
    case "text":
      return h("div.text", { dir: "auto" }, linked(String(body.text ?? "")));
    case "image":
      return imageCard(body);
    case "file":
      return linkCard("file", body.name || t("body.file"), [hostOf(body.url), size(body.size)], body.url);
    case "product":
    case "order":
      return linkCard(
        body.type === "order" ? "box" : "tag",
        body.title || t(`body.${body.type}`),
        [`${t(`body.${body.type}`)} ${body.id}`, body.price],
        body.url,
        body.type,
      );
    default:
      return h("div.text.muted", {}, t("body.unknown"));
  }
}

/** One line of plain text for lists and notifications. */
export function bodyLine(body) {
  switch (body?.type) {
    case "text":
      return String(body.text ?? "")
        .replace(/\s+/g, " ")
        .slice(0, 160);
    case "image":
      return `[${t("body.image")}] ${body.name ?? ""}`.trim();
    case "file":
      return `[${t("body.file")}] ${body.name ?? ""}`.trim();
    case "product":
    case "order":
      return `[${t(`body.${body.type}`)}] ${body.title ?? body.id}`;
    default:
      return "";
  }
}

/** Text with its web addresses as links. */
function linked(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const address = checked(match[0]);
    if (!address) continue;
    parts.push(text.slice(from, match.index), outwardLink(address, match[0]));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

function outwardLink(address, label, tag = "a") {
  return h(
    tag,
    { href: address, target: "_blank", rel: "noopener noreferrer nofollow", referrerpolicy: "no-referrer" },
    label,
  );
}

/** An address that may be followed, or null: web addresses only, and none that poses as somebody's log-in. */
function checked(address, protocols = ["https:", "http:"]) {
  try {
    const url = new URL(address);
    return protocols.includes(url.protocol) && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}

function hostOf(address) {
  try {
    return new URL(address).host;
  } catch {
    return "";
  }
}

function size(bytes) {
  if (!(bytes > 0)) return null;
  return bytes < 1024 * 1024
    ? `${number(Math.ceil(bytes / 1024))} KB`
    : `${number(Math.round(bytes / 104857.6) / 10)} MB`;
}

/** An image stays unseen until it is asked for: opening it tells a foreign server that somebody looked. */
function imageCard(body) {
  const address = checked(body.url, ["https:"]);
  const card = h("div.card.image");
  const reveal = () => {
    const image = h("img", { alt: body.name || t("body.image"), referrerpolicy: "no-referrer", decoding: "async" });
    image.addEventListener("error", () =>
      fill(card, h("span.card-lead", {}, icon("image")), h("span.muted", {}, t("body.image_failed"))),
    );
    image.src = address;
    const link = outwardLink(address, "");
    link.append(image);
    link.setAttribute("aria-label", t("body.image_open"));
    fill(card, link);
    card.classList.add("shown");
  };
  fill(
    card,
    h("span.card-lead", {}, icon("image")),
    h(
      "span.card-text",
      {},
      h("strong", { dir: "auto" }, body.name || t("body.image")),
      h("small", {}, [hostOf(body.url), size(body.size)].filter(Boolean).join(" · ")),
    ),
    address
      ? h("button.button.small", { type: "button", on: { click: reveal } }, t("body.image_show"))
      : h("small.muted", {}, t("body.bad_address")),
  );
  return card;
}

function linkCard(lead, title, details, url, kind = "file") {
  const address = url ? checked(url, ["https:"]) : null;
  const inner = [
    h("span.card-lead", {}, icon(lead)),
    h("span.card-text", {}, h("strong", { dir: "auto" }, title), h("small", {}, details.filter(Boolean).join(" · "))),
  ];
  if (!address) return h("div.card", { class: kind }, inner);
  const link = outwardLink(address, "");
  link.className = `card ${kind}`;
  fill(link, inner, icon("link", 15));
  return link;
}

// The buyer's page: whose chat it is, who the buyer is, and the way to the widget that may hold it.

import { fill } from "../shared/dom.js";
import { setLanguage, t } from "../shared/i18n.js";
import { claimsOf, takeFragment, tokens } from "../shared/token.js";
import { Chat } from "./chat.js";
import { holder } from "./frame.js";
import { chatPage } from "./view.js";

const query = new URLSearchParams(location.search);
const place = query.has("seller") ? { seller: query.get("seller") } : { shop: query.get("shop") };
const key = `fenliu.buyer.token.${place.seller ?? place.shop}`;
const fragment = takeFragment();
const told = (name) => document.querySelector(`meta[name="${name}"]`)?.content;

/** What the view shows beside the chat itself. */
const about = {
  known: Boolean(told("seller")),
  title: told("shop") ?? t("chat.title"),
  signedIn: () => Boolean(token),
  draft: "",
  inSight: () => !document.hidden && (!frame || opened),
};
let token = fragment.get("token") ?? tokens.read(key);
let bearer = claimsOf(token ?? "").sub;
let visitor = false;
let context = null;
let chat = null;
let page = null;
let unread = 0;
let opened = false;
if (fragment.has("token")) tokens.keep(key, token);

const frame = holder(fragment, (message) => {
  const takers = {
    token: () => useToken(message.token),
    visitor: () => useVisitor(),
    prefill: () => page?.prefill((about.draft = String(message.text ?? ""))),
    context: () => useContext(message.context),
    language: () => (setLanguage(message.language), draw()),
    title: () => ((about.title = String(message.title)), draw()),
    open: () => ((opened = true), frame.tell("unread", { count: (unread = 0) }), page?.update(), page?.focus()),
    close: () => (opened = false),
  };
  takers[message.type]?.();
});

const credentials = {
  params() {
    const client = { name: frame ? "fenliu widget" : "fenliu buyer page", version: "1" };
    return token ? { token, client } : { visitor: { shop: place.shop }, client };
  },
  /** A visitor's token: known again when the browser comes back. */
  keep(fresh) {
    [token, bearer] = [fresh, claimsOf(fresh).sub];
    tokens.keep(key, fresh);
    remember(fresh);
  },
  /** A visitor's token that ran out is replaced by a new visitor; true to try again. */
  refused(error) {
    if (error.kind !== "unauthenticated" || !token) return false;
    tokens.forget(key);
    token = null;
    if (frame && !visitor) frame.tell("expiring");
    remember(null);
    return visitor && Boolean(place.shop);
  },
  expiring(refresh) {
    this.refresh = refresh;
    frame?.tell("expiring");
  },
};

function remember(fresh) {
  try {
    if (fresh) localStorage.setItem(key, fresh);
    else localStorage.removeItem(key);
  } catch {
    // The visitor is known for as long as the tab lives.
  }
}

function useToken(fresh) {
  if (typeof fresh !== "string") return;
  const { sub } = claimsOf(fresh);
  if (chat && bearer !== sub) leave();
  const refresh = credentials.refresh;
  [token, bearer, visitor] = [fresh, sub, false];
  tokens.keep(key, fresh);
  if (refresh && chat?.connection.state === "open") refresh(fresh).catch(() => {});
  else begin();
}

/** Another buyer than before is at the shop's page. */
function leave() {
  chat.end();
  chat = null;
  about.draft = "";
  credentials.refresh = null;
}

function useVisitor() {
  visitor = true;
  try {
    token ??= localStorage.getItem(key);
  } catch {
    // A new visitor, then.
  }
  bearer = claimsOf(token ?? "").sub;
  begin();
}

function useContext(told) {
  context = told;
  if (chat) chat.context = told;
}

function begin() {
  chat ??= new Chat({
    place,
    seller: told("seller"),
    credentials,
    changed: () => page?.update(),
    events: {
      message() {
        if (frame && !opened) frame.tell("unread", { count: (unread += 1) });
        page?.update();
      },
    },
  });
  chat.context = context;
  if (["stopped", "refused"].includes(chat.connection.state)) chat.start();
  draw();
}

function draw() {
  page?.dispose();
  page = chatPage({ chat, about, redraw: draw, close: frame && (() => frame.tell("close")) });
  fill(document.body, page.element);
  page.update();
}

if (frame) {
  addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && frame.tell("close"));
  draw();
  frame.tell("ready");
} else if (!about.known) draw();
else if (token) begin();
else useVisitor();

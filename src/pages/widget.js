// The chat bubble of a shop's page.
//
//   <script src="https://CHAT/widget.js" data-shop="shop-881" async></script>
//
// data-shop or data-seller; data-title; data-language (zh, en). A shop with a backend gives the buyer's token by
//   window.fenliuSettings = { token: "…" }          or   { token: async () => "…" }, set before this script.
// Without one the visitor is anonymous. Then, from the page:
//   fenliu.open(), fenliu.close(), fenliu.toggle(), fenliu.prefill(text), fenliu.context({product: "…"}), fenliu.token(token)
// The token goes to the frame by postMessage to the chat's exact origin and never into an address.
(() => {
  const script = document.currentScript;
  if (!script || window.fenliu) return;

  const settings = window.fenliuSettings ?? {};
  const { shop, seller, title, language } = { ...script.dataset, ...settings };
  const origin = new URL(script.src).origin;
  const place = seller ? `seller=${encodeURIComponent(seller)}` : `shop=${encodeURIComponent(shop ?? "")}`;
  const words = (language ?? navigator.language).toLowerCase().startsWith("zh")
    ? { open: "打开客服聊天", close: "关闭客服聊天", frame: "客服聊天", unread: "条未读消息" }
    : { open: "Open the chat", close: "Close the chat", frame: "Chat", unread: "unread" };
  const SIGNS = {
    chat: "M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9l-3.500 3v-3a2 2 0 0 1-2-2z",
    down: "M5 8l5 5 5-5",
  };
  // The page's own rules reach the host element, and nothing within it: what they could do there is undone.
  const STYLE = `
    :host { all: initial !important; display: contents !important; color-scheme: light dark; }
    [hidden] { display: none !important; }
    .bubble, iframe { position: fixed; right: max(20px, env(safe-area-inset-right)); z-index: 2147483000; border: 0; }
    .bubble {
      bottom: max(20px, env(safe-area-inset-bottom)); display: grid; place-items: center; width: 56px; height: 56px; padding: 0;
      border-radius: 50%; background: #0f766e; color: #fff; box-shadow: 0 4px 18px #0004; cursor: pointer; transition: transform 0.15s;
    }
    .bubble:hover { transform: scale(1.05); }
    .bubble:focus-visible { outline: 3px solid #0f766e; outline-offset: 3px; }
    .count {
      position: absolute; top: -3px; right: -3px; box-sizing: border-box; min-width: 20px; padding: 0 5px; border: 2px solid #fff; border-radius: 11px;
      background: #b3261e; color: #fff; font: 600 12px/18px system-ui, sans-serif; text-align: center;
    }
    iframe {
      bottom: 90px; width: 384px; height: min(640px, calc(100dvh - 110px)); border-radius: 16px; background: Canvas;
      box-shadow: 0 12px 44px #0005, 0 0 0 1px #0001; animation: rise 0.16s ease-out;
    }
    @keyframes rise { from { opacity: 0; transform: translateY(10px); } }
    @media (max-width: 520px) { iframe { inset: 0; width: 100vw; height: 100dvh; border-radius: 0; } }
    @media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }`;

  const svg = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const host = document.createElement("fenliu-chat");
  const shadow = host.attachShadow({ mode: "closed" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];
  const sign = svg("path");
  for (const [name, value] of Object.entries({
    "stroke-width": "1.6",
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  }))
    sign.setAttribute(name, value);
  sign.setAttribute("stroke", "currentColor");
  const picture = svg("svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 20 20", width: "27", "aria-hidden": "true" }))
    picture.setAttribute(name, value);
  picture.append(sign);
  const count = document.createElement("span");
  count.className = "count";
  const button = document.createElement("button");
  button.className = "bubble";
  button.type = "button";
  button.append(picture, count);
  shadow.append(button);

  let frame = null;
  let ready = false;
  let open = false;
  let unread = 0;
  let waiting = [];

  const tell = (type, about = {}) => {
    const message = { fenliu: 1, type, ...about };
    if (ready) frame.contentWindow.postMessage(message, origin);
    else waiting.push(message);
  };
  const draw = () => {
    sign.setAttribute("d", open ? SIGNS.down : SIGNS.chat);
    sign.setAttribute("fill", open ? "none" : "currentColor");
    const label = open ? words.close : words.open;
    button.setAttribute("aria-label", unread > 0 ? `${label}, ${unread} ${words.unread}` : label);
    button.setAttribute("aria-expanded", String(open));
    count.textContent = unread > 99 ? "99+" : String(unread);
    count.hidden = unread === 0;
  };
  const load = () => {
    if (frame) return;
    frame = document.createElement("iframe");
    frame.title = words.frame;
    frame.hidden = !open;
    frame.src = `${origin}/buyer?${place}#origin=${encodeURIComponent(location.origin)}`;
    shadow.append(frame);
  };
  const identify = async () => {
    const token = typeof settings.token === "function" ? await settings.token() : settings.token;
    if (token) tell("token", { token });
    else tell("visitor");
  };
  const show = (wanted) => {
    open = wanted;
    if (open) load();
    if (frame) {
      frame.hidden = !open;
      tell(open ? "open" : "close");
      if (open) frame.focus();
      else button.focus();
    }
    draw();
  };

  const takers = {
    ready() {
      ready = true;
      if (language) tell("language", { language });
      if (title) tell("title", { title });
      const held = waiting;
      waiting = [];
      for (const message of held) frame.contentWindow.postMessage(message, origin);
      identify();
    },
    close: () => show(false),
    expiring: () => identify(),
    unread(about) {
      unread = Number(about.count) || 0;
      draw();
    },
  };
  addEventListener("message", (event) => {
    const ours = frame && event.origin === origin && event.source === frame.contentWindow;
    if (ours && event.data?.fenliu === 1 && Object.hasOwn(takers, event.data.type)) takers[event.data.type](event.data);
  });
  button.addEventListener("click", () => show(!open));
  draw();

  window.fenliu = {
    open: () => show(true),
    close: () => show(false),
    toggle: () => show(!open),
    prefill: (text) => (load(), tell("prefill", { text: String(text) })),
    context: (context) => tell("context", { context }),
    token: (token) => tell("token", { token }),
  };
  if (document.body) document.body.append(host);
  else addEventListener("DOMContentLoaded", () => document.body.append(host));
})();

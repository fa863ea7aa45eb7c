// The chat bubble of a shop's page.
//
//   <script src="https://CHAT/widget.js" data-shop="shop-881" data-title="Tea House" async></script>
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
  const chinese = (language ?? navigator.language).toLowerCase().startsWith("zh");
  const words = chinese
    ? { open: "打开客服聊天", close: "关闭客服聊天", frame: "客服聊天" }
    : { open: "Open the chat", close: "Close the chat", frame: "Chat" };
  const place = seller ? `seller=${encodeURIComponent(seller)}` : `shop=${encodeURIComponent(shop ?? "")}`;
  const host = document.createElement("div");
  const shadow = host.attachShadow({ mode: "closed" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    .bubble { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; width: 56px; height: 56px; border: 0; border-radius: 50%; background: #0f766e; color: #fff; box-shadow: 0 6px 20px #0004; cursor: pointer; display: grid; place-items: center; }
    .bubble:focus-visible { outline: 3px solid #0f766e; outline-offset: 3px; }
    .count { position: absolute; top: -3px; right: -3px; min-width: 20px; border-radius: 10px; background: #b3261e; color: #fff; font: 600 12px/20px system-ui; }
    iframe { position: fixed; right: 20px; bottom: 88px; z-index: 2147483001; width: 380px; height: min(640px, calc(100dvh - 110px)); border: 0; border-radius: 16px; box-shadow: 0 12px 44px #0005; background: Canvas; }
    [hidden] { display: none; }
    @media (max-width: 520px) { iframe { inset: 0; width: 100vw; height: 100dvh; border-radius: 0; } }`);
  shadow.adoptedStyleSheets = [sheet];
  const button = document.createElement("button");
  button.className = "bubble";
  button.type = "button";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("width", "28");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9l-3.5 3v-3a2 2 0 0 1-2-2z");
  path.setAttribute("fill", "currentColor");
  svg.append(path);
  const count = document.createElement("span");
  count.className = "count";
  count.hidden = true;
  button.append(svg, count);
  shadow.append(button);

  let frame = null;
  let ready = false;
  let open = false;
  let waiting = [];
  const tell = (type, about = {}) => {
    const message = { fenliu: 1, type, ...about };
    if (ready) frame.contentWindow.postMessage(message, origin);
    else waiting.push(message);
  };
  const label = () => {
    button.setAttribute("aria-label", open ? words.close : words.open);
    button.setAttribute("aria-expanded", String(open));
  };
  const load = () => {
    if (frame) return;
    frame = document.createElement("iframe");
    frame.title = words.frame;
    frame.src = `${origin}/buyer?${place}#origin=${encodeURIComponent(location.origin)}`;
    shadow.append(frame);
  };
  const identify = async () => {
    const token = typeof settings.token === "function" ? await settings.token() : settings.token;
    if (token) tell("token", { token });
    else tell("visitor");
  };
  const show = (wanted) => {
    if (wanted) load();
    open = wanted;
    if (frame) frame.hidden = !open;
    tell(open ? "open" : "close");
    label();
    if (!open) button.focus();
  };
  addEventListener("message", (event) => {
    if (!frame || event.origin !== origin || event.source !== frame.contentWindow || event.data?.fenliu !== 1) return;
    const { type } = event.data;
    if (type === "ready") {
      ready = true;
      if (language) tell("language", { language });
      if (title) tell("title", { title });
      identify();
      const held = waiting;
      waiting = [];
      for (const message of held) frame.contentWindow.postMessage(message, origin);
    } else if (type === "close") show(false);
    else if (type === "expiring") identify();
    else if (type === "unread") {
      count.textContent = String(event.data.count);
      count.hidden = !(event.data.count > 0);
    }
  });
  button.addEventListener("click", () => show(!open));
  label();
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

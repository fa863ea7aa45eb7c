// Sets theme and language on the root before the first paint. Everything else loads as modules.
(() => {
  const root = document.documentElement;
  let theme = null;
  let language = null;
  try {
    theme = localStorage.getItem("fenliu.theme");
    language = localStorage.getItem("fenliu.language");
  } catch {
    // Storage may be blocked in a frame; the browser's own preferences stand.
  }
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const wanted = language || navigator.language || "en";
  root.lang = wanted.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
})();

// The way to the page that holds this chat in a frame: exact origins both ways, nothing without one.

/** Null unless a widget holds this page. `received(message)` gets what the holder says. */
export function holder(fragment, received) {
  const origin = fragment.get("origin");
  if (window.parent === window || !origin) return null;
  const real = location.ancestorOrigins?.[0];
  if (real && real !== origin) return null;
  addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== origin) return;
    if (event.data?.fenliu === 1) received(event.data);
  });
  const tell = (type, about = {}) => window.parent.postMessage({ fenliu: 1, type, ...about }, origin);
  return { tell };
}

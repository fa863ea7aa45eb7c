// The token of this page: taken from the fragment once, kept for the tab. It never enters an address or a log.

/** Takes the members of the fragment and removes it from the address at once. */
export function takeFragment() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has("token")) {
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return fragment;
}

export const tokens = {
  read(key) {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null;
    }
  },
  keep(key, token) {
    try {
      sessionStorage.setItem(key, token);
    } catch {
      // Without storage the token lives as long as the page.
    }
  },
  forget(key) {
    try {
      sessionStorage.removeItem(key);
    } catch {
      // Nothing was kept.
    }
  },
};

/** What a token says of its bearer; only to show it. The server judges the token. */
export function claimsOf(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

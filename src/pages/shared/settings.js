// What this browser remembers: theme, language, sound and the like. Nothing that anybody wrote is kept here.

const PREFIX = "fenliu.";

export function setting(name, otherwise = null) {
  try {
    const stored = localStorage.getItem(PREFIX + name);
    return stored === null ? otherwise : stored;
  } catch {
    return otherwise;
  }
}

export function keepSetting(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // The setting holds until the page is left.
  }
}

/** The theme in force: `light` or `dark`. */
export function theme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen) return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function setTheme(next) {
  document.documentElement.dataset.theme = next;
  keepSetting("theme", next);
}

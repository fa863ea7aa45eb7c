// Building and updating elements. Text goes in as text nodes only; there is no way to pass markup.

/** Makes an element: `h("p.muted", { title: "…", on: { click } }, "text", child)`. */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length > 0) element.className = classes.join(" ");
  if (props) assign(element, props);
  append(element, children);
  return element;
}

function assign(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (key === "class") {
      element.className = element.className ? `${element.className} ${value}` : value;
    } else if (key === "style") {
      for (const [property, setting] of Object.entries(value)) element.style.setProperty(property, setting);
    } else if (key === "data") {
      for (const [entry, setting] of Object.entries(value)) element.dataset[entry] = setting;
    } else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") {
      element[key] = value;
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
}

function append(element, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replaces all children. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Sets text only where it differs, so that a ticking page touches nothing that stands still. */
export function setText(element, text) {
  const wanted = text === undefined || text === null ? "" : String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Sets or removes an attribute only where it differs. */
export function setAttribute(element, name, value) {
  if (value === undefined || value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else {
    const wanted = value === true ? "" : String(value);
    if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
  }
}

/** Shows or hides. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/**
 * Brings `container`'s children to `items`, reusing the element of each key and moving as few as needed.
 * `create(item)` makes an element, `update(element, item)` brings it up to date.
 */
export function keyed(container, items, key, create, update) {
  const known = container.keyedElements ?? new Map();
  const next = new Map(items.map((item) => [key(item), item]));
  for (const [id, element] of known) if (!next.has(id)) element.remove();
  let place = container.firstChild;
  for (const [id, item] of next) {
    const element = known.get(id) ?? create(item);
    update?.(element, item);
    next.set(id, element);
    if (element === place) place = place.nextSibling;
    else move(container, element, place);
  }
  container.keyedElements = next;
}

/** What is moved within its place keeps the focus, where the browser can do that. */
function move(container, element, place) {
  if (container.moveBefore && element.parentNode === container) container.moveBefore(element, place);
  else container.insertBefore(element, place);
}

/** Runs `work` once before the next paint however often it is asked; by a timer while the page is hidden. */
export function batched(work) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    const run = () => {
      if (!due) return;
      due = false;
      work();
    };
    if (document.hidden) setTimeout(run, 50);
    else {
      requestAnimationFrame(run);
      // A frame may never come (a covered window); the work must.
      setTimeout(run, 200);
    }
  };
}

/** An id for labelling; unique on the page. */
export function freshId(prefix = "f") {
  freshId.last = (freshId.last ?? 0) + 1;
  return `${prefix}-${freshId.last}`;
}

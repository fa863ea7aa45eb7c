// Line icons as SVG elements. Drawn here, on a 20 × 20 grid with a stroke of 1.6.

const PATHS = {
  chat: "M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9l-3.5 3v-3a2 2 0 0 1-2-2z",
  desk: "M3.5 16.5v-6M8 16.5v-11M12.5 16.5v-8M17 16.5v-13",
  whatif: "M5 3.5v4a3 3 0 0 0 3 3h4a3 3 0 0 1 3 3v3M5 16.5v-4M12.5 14l2.5 2.5 2.5-2.5M2.5 6 5 3.5 7.5 6",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M15.7 4.3l-1.1 1.1M5.4 14.6l-1.1 1.1",
  moon: "M16.5 11.8A7 7 0 0 1 8.2 3.5a7 7 0 1 0 8.3 8.3z",
  globe:
    "M10 2.8a7.2 7.2 0 1 0 0 14.4 7.2 7.2 0 0 0 0-14.4zM2.8 10h14.4M10 2.8c2.4 2 3.3 4.400 3.300 7.200s-.9 5.200-3.300 7.200c-2.400-2-3.300-4.400-3.300-7.200S7.600 4.800 10 2.800z",
  help: "M7.600 7.600a2.500 2.500 0 1 1 3.700 2.200c-.9.500-1.300 1-1.300 1.900M10 14.400v.1M10 2.800a7.200 7.200 0 1 0 0 14.400 7.200 7.200 0 0 0 0-14.400z",
  bell: "M5 8.500a5 5 0 0 1 10 0c0 4 1.500 5 1.500 5h-13S5 12.500 5 8.500zM8.500 16.300a1.700 1.700 0 0 0 3 0",
  belloff:
    "M5 8.500a5 5 0 0 1 10 0c0 4 1.500 5 1.500 5h-13S5 12.500 5 8.500zM8.500 16.300a1.700 1.700 0 0 0 3 0M3 3l14 14",
  send: "M3.500 10 16.500 3.800l-3.800 12.700-3-5.200zM9.700 11.300l6.800-7.500",
  note: "M5 3.500h10a1 1 0 0 1 1 1v7.500l-4.500 4.500H5a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1zM11.500 16.300V12H16M7 7h6M7 10h3.500",
  transfer: "M3.500 7h11.500M12 4l3 3-3 3M16.500 13H5M8 10l-3 3 3 3",
  close: "M5 5l10 10M15 5 5 15",
  check: "M4 10.500 8.200 14.500 16 6",
  back: "M12 4.500 6.500 10l5.500 5.500",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM12.700 12.700 16.500 16.500",
  panel: "M3.500 4.500h13v11h-13zM12 4.500v11",
  clip: "M14.500 9.500 9.300 14.700a3 3 0 0 1-4.200-4.200l6-6a2 2 0 0 1 2.900 2.900l-5.700 5.600a1 1 0 0 1-1.400-1.400l5-5",
  bolt: "M11 2.800 4.500 11.500H10l-1 5.700 6.500-8.700H10z",
  user: "M10 3.500a3.200 3.200 0 1 0 0 6.400 3.200 3.200 0 0 0 0-6.400zM4 16.500c.6-2.800 3-4.300 6-4.300s5.400 1.500 6 4.300",
  users:
    "M7.500 4.500a2.700 2.700 0 1 0 0 5.400 2.700 2.700 0 0 0 0-5.400zM2.500 16c.5-2.500 2.500-3.800 5-3.800s4.500 1.300 5 3.800M13 4.700a2.500 2.500 0 0 1 0 4.900M14.500 12.500c1.700.4 2.700 1.700 3 3.500",
  eye: "M2.500 10S5 5 10 5s7.500 5 7.500 5-2.500 5-7.500 5-7.500-5-7.500-5zM10 7.800a2.200 2.200 0 1 0 0 4.400 2.200 2.200 0 0 0 0-4.400z",
  image: "M3.500 4.500h13v11h-13zM3.500 13l4-4 3.500 3.500 2-2 3.500 3.500M12.500 7.500h.01",
  file: "M6 3h5.500L15 6.500V17H6zM11.500 3v3.500H15",
  tag: "M3.500 9.500v-6h6l7 7-6 6zM6.500 6.500h.01",
  box: "M3.500 6.500 10 3l6.500 3.500v7L10 17l-6.500-3.500zM3.500 6.500 10 10l6.500-3.500M10 10v7",
  clock: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l2.700 1.700",
  down: "M5 8l5 5 5-5",
  inbox: "M3.500 11.500 5.500 4h9l2 7.500v4.500h-13zM3.500 11.500h4l1 2h3l1-2h4",
  star: "M10 3l2.100 4.500 4.900.6-3.600 3.400.9 4.900L10 14l-4.300 2.400.9-4.900L3 8.100l4.900-.6z",
  plus: "M10 4v12M4 10h12",
  key: "M12.500 3.500a4 4 0 1 0-3.600 5.700L7.500 10.600v2H5.500v2h-2v-2.500l4.700-4.700M13.500 6.500h.01",
  out: "M8 3.500H4.500v13H8M9 10h8M14 7l3 3-3 3",
  alert: "M10 3.500 17.500 16.500h-15zM10 8.500v3.500M10 14.300v.01",
  link: "M8.500 11.500a3 3 0 0 0 4.300.2l2.500-2.500a3 3 0 0 0-4.300-4.300l-1 1M11.500 8.500a3 3 0 0 0-4.300-.2l-2.500 2.500a3 3 0 0 0 4.300 4.300l1-1",
};

const NAMESPACE = "http://www.w3.org/2000/svg";

/** An icon, hidden from assistive technology: the control that holds it carries the label. */
export function icon(name, size = 18) {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("width", String(size));
  svg.setAttribute("height", String(size));
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS(NAMESPACE, "path");
  path.setAttribute("d", PATHS[name] ?? "");
  svg.append(path);
  return svg;
}

/** An SVG element of any name with attributes. */
export function svg(name, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, String(value));
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}

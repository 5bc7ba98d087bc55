// Small helpers: elements, numbers as people read them, and the server's answers.

/** An element: h("a", {class: "x", href: "/"}, "text", other). Text is always text, never markup. */
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "style") for (const [name, v] of Object.entries(value)) el.style.setProperty(name, v);
    else if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else el.setAttribute(key, value === true ? "" : value);
  }
  add(el, children);
  return el;
}

function add(el, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    el.append(child);
  }
}

export function replace(el, ...children) {
  el.replaceChildren();
  add(el, children);
}

/** Microseconds: 840 µs, 12.3 ms, 1.42 s. */
export function span(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  const ms = us / 1000;
  if (ms < 1000) return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const s = ms / 1000;
  return s < 120 ? `${s.toFixed(s < 10 ? 2 : 1)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}

/** Milliseconds, coarse: 4 s, 3 min, 2 h. */
export function age(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return `${Math.round(s / 3600)} h`;
}

const KNOWN = ["gateway", "orders", "inventory", "payments", "shopctl"];

/** The class that carries a service's colour. */
export function colour(service) {
  if (KNOWN.includes(service)) return `svc-${service}`;
  let hash = 0;
  for (const letter of service ?? "") hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return `svc-x${hash % 4}`;
}

export function chip(service, note) {
  return h("span", { class: `chip ${colour(service)}` }, service, note !== undefined && h("small", {}, ` ${note}`));
}

/** The server's JSON; an Error with its words and its status when it refuses. */
export async function ask(path) {
  const answer = await fetch(path);
  const text = await answer.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  if (!answer.ok) throw Object.assign(new Error(json?.errors?.[0]?.msg || text.trim() || answer.statusText), { status: answer.status });
  return json;
}

/** Moves within the page without loading it again. */
export function go(path) {
  if (path !== location.pathname + location.search) history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** A link that stays within the page. */
export function link(href, props, ...children) {
  return h("a", { href, "data-link": true, ...props }, ...children);
}

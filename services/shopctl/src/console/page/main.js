// Which view is shown, what is live, dark or light.

import { h, replace, go } from "./dom.js";
import { traces } from "./traces.js";
import { actors } from "./actors.js";

const main = document.getElementById("main");
const live = document.getElementById("live");

// One connection for the whole page; it comes back by itself.
const state = { last: undefined, listeners: new Set() };
const events = new EventSource("/console/live");
events.onmessage = (event) => {
  state.last = JSON.parse(event.data);
  tell();
  for (const listener of state.listeners) listener(state.last);
};
events.onerror = () => {
  replace(live, h("span", { class: "dot gone" }), "the stand-in does not answer");
};

function tell() {
  const { watching, processes } = state.last;
  if (!watching) return replace(live);
  const gone = processes.filter((process) => !process.up).length;
  replace(live,
    h("span", { class: gone ? "dot gone" : "dot up" }),
    gone ? `${gone} of ${processes.length} processes gone` : `${processes.length} processes up`);
}

/** Calls back with each look, beginning with the last one; returns how to stop. */
function watch(listener) {
  state.listeners.add(listener);
  if (state.last) listener(state.last);
  return () => state.listeners.delete(listener);
}

let view = { name: undefined };

function show() {
  const [, first, second] = decodeURI(location.pathname).split("/");
  const name = first === "actors" ? "actors" : "traces";
  for (const tab of document.querySelectorAll("nav [data-view]")) {
    if (tab.dataset.view === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  if (view.name !== name) {
    view.end?.();
    view = { name, ...(name === "actors" ? actors : traces)(main, watch) };
  }
  view.at?.({
    trace: first === "trace" ? second : undefined,
    order: first === "orders" ? second : undefined,
    search: new URLSearchParams(location.search),
  });
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[data-link]");
  if (!anchor || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(anchor.getAttribute("href"));
});
addEventListener("popstate", show);

const root = document.documentElement;
const wanted = localStorage.getItem("theme");
if (wanted) root.dataset.theme = wanted;
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

show();

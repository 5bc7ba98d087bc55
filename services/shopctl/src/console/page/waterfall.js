// One trace, drawn: rows of spans over time, and what is known about the chosen one beside.

import { h, replace, span, chip, colour, link } from "./dom.js";
import { model, explain } from "./model.js";
import { gaps, scale } from "./scale.js";
import { side } from "./side.js";

// Rows in the document at once; more would make it slow.
const ROWS_MAX = 1500;

// What the label over a folded gap takes, in pixels: each letter, and around them.
const LETTER = 6.3;
const AROUND = 14;

// `shopapi.orders.v1.OrdersService/CreateOrder` begins with what everybody knows. Of the rest the first word, or the service, says the kind.
function title(name) {
  const short = name.replace(/^shopapi\.[a-z]+\.v[0-9]+\./, "");
  const [, kind, rest] = short.match(/^([A-Za-z]+Service\/|[a-z]+ )(.+)$/) ?? [, "", short];
  return [kind && h("span", { class: "kindof" }, kind), rest];
}

export function waterfall(host, isWatching) {
  const head = h("header", { class: "head" });
  const axis = h("div", { class: "axis", "aria-hidden": "true" });
  const axisrow = h("div", { class: "axisrow" }, h("span", {}, "Span"), axis);
  const bands = h("div", { class: "bands" });
  const tree = h("div", { class: "rows", role: "tree", "aria-label": "Spans", onkeydown: keys });
  const about = side(isWatching, (id) => choose(id, true));
  replace(host, head, h("div", { class: "split" },
    h("div", { class: "chart" }, axisrow, h("div", { class: "canvas" }, bands, tree)),
    about.el));

  let trace;
  let lines = [];
  let chosen;
  let fold = true;
  const closed = new Set();
  let drawn = "";

  function draw(raw, newLines) {
    trace = model(raw);
    lines = newLines;
    const now = `${raw.spans.length}/${newLines.length}`;
    if (now === drawn) return;
    drawn = now;
    paint();
    about.trace(trace, lines);
    about.order(trace.orders[0]);
  }

  function visible() {
    const rows = [];
    let under = Infinity;
    for (const row of trace.rows) {
      if (row.depth > under) continue;
      under = closed.has(row.id) ? row.depth : Infinity;
      rows.push(row);
    }
    return rows.slice(0, ROWS_MAX);
  }

  function paint() {
    const found = explain(gaps(trace.rows), trace.rows);
    const width = axis.clientWidth || 440;
    const time = scale(trace.rows, fold ? found : [], width);
    header(time, found);
    axisrow.classList.toggle("two", found.length > 0);
    replace(axis,
      time.ticks.map((tick) => h("span", { style: { left: `${tick.at * 100}%` } }, tick.time === 0 ? "0" : span(tick.time))),
      labels(found, time, width));
    replace(bands,
      time.ticks.map((tick) => h("i", { class: "tick", style: { left: `${tick.at * 100}%` } })),
      found.map((gap) => band(gap, time)));
    const rows = visible();
    const focused = tree.contains(document.activeElement);
    replace(tree, rows.map((row, index) => line(row, index, time)));
    mark(chosen ?? rows[0]?.id, focused);
    if (rows.length === ROWS_MAX) tree.append(h("p", { class: "cut" }, `The first ${ROWS_MAX} of ${trace.rows.length} spans; fold some to see others.`));
  }

  const crashed = (gap) => gap.moved.length > 0;

  function band(gap, time) {
    const [left, right] = [time.at(gap.from), time.at(gap.to)];
    const words = crashed(gap)
      ? `${span(gap.to - gap.from)}: nothing ran, then ${gap.moved.join(" and ")} went on as another process`
      : `${span(gap.to - gap.from)}: nothing ran`;
    return h("div", { class: crashed(gap) ? "gap crash" : "gap", style: { left: `${left * 100}%`, width: `${(right - left) * 100}%` }, title: words });
  }

  // Over each gap how long it took, where there is room; a crash comes first.
  function labels(found, time, width) {
    const placed = [];
    const sorted = [...found].sort((a, b) => crashed(b) - crashed(a));
    return sorted.map((gap) => {
      const text = crashed(gap) ? `✕ ${gap.moved.join(", ")} · ${span(gap.to - gap.from)}` : span(gap.to - gap.from);
      const half = (text.length * LETTER + AROUND) / 2;
      const middle = ((time.at(gap.from) + time.at(gap.to)) / 2) * width;
      const at = Math.min(width - half, Math.max(half, middle));
      if (placed.some((one) => Math.abs(one.at - at) < one.half + half)) return undefined;
      placed.push({ at, half });
      return h("b", { class: crashed(gap) ? "crash" : undefined, style: { left: `${(at / width) * 100}%` } }, text);
    });
  }

  function header(time, found) {
    const first = trace.rows[0];
    const errors = trace.rows.filter((row) => row.error).length;
    const compensated = trace.rows.some((row) => row.compensates);
    const moved = new Set(found.flatMap((gap) => gap.moved));
    replace(head,
      h("h1", {}, first?.name ?? "Trace", trace.orders.map((id) => link(`/orders/${id}`, { class: "order" }, `order ${id}`))),
      h("p", { class: "facts" },
        h("b", {}, span(time.end - time.start)), ` · ${trace.rows.length} spans`,
        errors > 0 && h("span", { class: "bad" }, ` · ${errors} ${errors === 1 ? "error" : "errors"}`),
        compensated && h("span", { class: "back" }, " · ↩ compensated"),
        moved.size > 0 && h("span", { class: "bad" }, ` · ${[...moved].join(", ")} went on as another process`),
        h("code", { class: "id", title: "Trace id" }, trace.id)),
      h("div", { class: "legend" }, trace.services.map((one) => chip(one.name, one.instances.size > 1 ? `${one.spans} in ${one.instances.size} processes` : one.spans)),
        found.length > 0 && h("label", { class: "fold" },
          h("input", { type: "checkbox", checked: fold, onchange: (event) => { fold = event.target.checked; paint(); } }), "fold gaps")));
  }

  function line(row, index, time) {
    const [left, right] = [time.at(row.start), time.at(row.end)];
    const wide = right - left;
    const duration = span(row.end - row.start);
    // Where the right edge leaves no room for it.
    const place = right < 0.86 ? "after" : wide > 0.2 ? "inside" : "before";
    const words = `${row.name}, ${row.service}, ${duration}, after ${span(row.start - time.start)}${row.error ? ", error" : ""}${row.compensates ? ", compensation" : ""}`;
    const classes = ["row", colour(row.service), row.error && "error", row.compensates && "compensates", row.orphan && "orphan"];
    return h("div", {
      class: classes.filter(Boolean).join(" "), role: "treeitem", id: `span-${row.id}`, tabindex: -1, "data-id": row.id, "data-index": index,
      "aria-level": row.depth + 1, "aria-label": words, "aria-expanded": row.children.length ? String(!closed.has(row.id)) : undefined,
      onclick: () => choose(row.id), ondblclick: () => toggle(row),
    },
    h("span", { class: "what", style: { "--depth": row.depth } },
      row.children.length
        ? h("button", { type: "button", class: "twist", tabindex: -1, "aria-hidden": "true", onclick: (event) => { event.stopPropagation(); toggle(row); } }, closed.has(row.id) ? "▸" : "▾")
        : h("i", { class: "leaf" }),
      h("span", { class: "title", title: row.name }, title(row.name)),
      row.compensates && h("span", { class: "sign back", title: "compensation" }, "↩"),
      row.error && h("span", { class: "sign bad", title: row.message ?? "error" }, "✕"),
      row.links.length > 0 && h("span", { class: "sign", title: `${row.links.length} links` }, "↗")),
    h("span", { class: "lane" },
      h("span", { class: "bar", style: { left: `${left * 100}%`, width: `${wide * 100}%` } }),
      row.events.map((event) => h("i", { class: "event", title: event.name, style: { left: `${time.at(event.at) * 100}%` } })),
      h("span", { class: `took ${place}`, style: { left: `${(place === "before" ? left : right) * 100}%` } }, duration)));
  }

  function mark(id, focus) {
    for (const el of tree.querySelectorAll('[role="treeitem"]')) {
      const on = el.dataset.id === id;
      el.tabIndex = on ? 0 : -1;
      el.setAttribute("aria-selected", String(on && chosen === id));
      if (on && focus) el.focus({ preventScroll: false });
    }
  }

  function choose(id, focus = true) {
    const row = trace.rows.find((one) => one.id === id);
    if (!row) return;
    chosen = id;
    mark(id, focus);
    about.span(row, trace);
  }

  function toggle(row) {
    if (closed.has(row.id)) closed.delete(row.id);
    else closed.add(row.id);
    chosen = row.id;
    paint();
    mark(row.id, true);
  }

  function keys(event) {
    const rows = visible();
    const index = rows.findIndex((row) => row.id === event.target.closest('[role="treeitem"]')?.dataset.id);
    if (index < 0) return;
    const row = rows[index];
    const move = (to) => { if (rows[to]) choose(rows[to].id); };
    const parent = () => move(rows.findIndex((one) => one.id === row.parent));
    const acts = {
      ArrowDown: () => move(index + 1),
      ArrowUp: () => move(index - 1),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      ArrowRight: () => (closed.has(row.id) ? toggle(row) : row.children.length && move(index + 1)),
      ArrowLeft: () => (row.children.length && !closed.has(row.id) ? toggle(row) : parent()),
      Enter: () => choose(row.id),
      " ": () => choose(row.id),
    };
    if (!acts[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    acts[event.key]();
  }

  return { draw };
}

// Beside the waterfall: the order's timeline, the chosen span, the log lines.

import { h, replace, span, chip, ask, link } from "./dom.js";
import { own } from "./model.js";

// How often an order that can still change is asked for, and one that could not be had.
const ORDER_EVERY = 1000;

export function side(isWatching, choose) {
  const panes = {};
  const tabs = {};
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "About this trace", onkeydown: keys });
  const el = h("aside", { class: "side", "aria-label": "Details" }, list);
  for (const [name, title] of [["order", "Order"], ["span", "Span"], ["logs", "Logs"]]) {
    tabs[name] = h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `pane-${name}`, onclick: () => pick(name) }, title);
    panes[name] = h("div", { class: "pane", role: "tabpanel", id: `pane-${name}`, "aria-labelledby": `tab-${name}`, tabindex: 0 });
    list.append(tabs[name]);
    el.append(panes[name]);
  }
  let begin = 0;
  let lines = [];
  let shownOrder;
  let known;
  let timer;
  // The reader chose a tab: it stays, whatever comes.
  let picked = false;

  function show(name) {
    for (const key of Object.keys(panes)) {
      panes[key].hidden = key !== name;
      tabs[key].setAttribute("aria-selected", String(key === name));
      tabs[key].tabIndex = key === name ? 0 : -1;
    }
  }

  function pick(name) {
    picked = true;
    show(name);
  }

  function keys(event) {
    const names = Object.keys(tabs);
    const index = names.findIndex((name) => tabs[name] === document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (index < 0 || !step) return;
    const next = names[(index + step + names.length) % names.length];
    pick(next);
    tabs[next].focus();
  }

  function value(tag) {
    const long = typeof tag.value === "string" && tag.value.length > 60;
    return h("dd", { class: long ? "long" : undefined }, String(tag.value));
  }

  function table(title, tags) {
    if (!tags.length) return undefined;
    return h("section", {}, h("h3", {}, title), h("dl", { class: "tags" }, tags.map((tag) => [h("dt", {}, tag.key), value(tag)])));
  }

  function logs(of, title) {
    return h("section", {}, h("h3", {}, title),
      of.length === 0 && h("p", { class: "none" }, "No log lines."),
      h("ol", { class: "lines" }, of.map((line) => h("li", { class: `line ${line.severity.toLowerCase()}` },
        h("button", { type: "button", class: "at", disabled: !line.spanID, title: "Show its span", onclick: () => choose(line.spanID) }, `+${span(Math.max(0, line.at - begin))}`),
        h("span", { class: "severity" }, line.severity), chip(line.service), h("p", {}, line.body),
        line.fields.length > 0 && h("p", { class: "fields" }, line.fields.map((field) => `${field.key}=${field.value}`).join("  "))))));
  }

  const pane = {
    el,
    trace(trace, newLines) {
      lines = newLines;
      begin = Math.min(...trace.rows.map((row) => row.start));
      tabs.logs.replaceChildren(`Logs ${lines.length || ""}`);
      replace(panes.logs, logs(lines, "Log lines of this trace"));
      if (!panes.span.childElementCount) replace(panes.span, h("p", { class: "none" }, "Choose a span."));
    },
    span(row, trace) {
      const mine = lines.filter((line) => line.spanID === row.id);
      replace(panes.span,
        h("h2", {}, row.name),
        h("p", { class: "facts" }, chip(row.service), row.kind && h("span", { class: "kind" }, row.kind),
          h("b", {}, span(row.end - row.start)), ` after ${span(row.start - begin)}, own time ${span(own(row))}`),
        row.error && h("p", { class: "alarm" }, row.message || "It ended with an error."),
        row.orphan && h("p", { class: "alarm mild" }, "Its parent was never sent: the process ended before it could, or it still runs."),
        table("Attributes", row.tags.filter((tag) => !["error", "otel.status_description"].includes(tag.key))),
        row.events.length > 0 && h("section", {}, h("h3", {}, "Events"), h("ol", { class: "events" }, row.events.map((event) => h("li", {},
          h("span", { class: "at" }, `+${span(Math.max(0, event.at - begin))}`), h("b", {}, event.name),
          event.fields.length > 0 && h("p", { class: "fields" }, event.fields.map((field) => `${field.key}=${field.value}`).join("  ")))))),
        row.links.length > 0 && h("section", {}, h("h3", {}, "Links"), h("ul", { class: "links" }, row.links.map((one) => h("li", {},
          one.traceID === trace.id && trace.rows.some((other) => other.id === one.spanID)
            ? h("button", { type: "button", onclick: () => choose(one.spanID) }, trace.rows.find((other) => other.id === one.spanID).name)
            : link(`/trace/${one.traceID}`, {}, `trace ${one.traceID.slice(0, 12)}…`))))),
        logs(mine, "Log lines"),
        table("Process", [{ key: "service.name", value: row.service }, ...row.process.tags]));
      pick("span");
    },
    // The order that the trace tells of; told again as the trace grows.
    order(id) {
      if (id !== undefined && id === shownOrder) return;
      clearTimeout(timer);
      shownOrder = id;
      known = undefined;
      if (id === undefined) {
        replace(panes.order, h("p", { class: "none" }, "No order is named in this trace."));
        if (!picked) show("logs");
        return;
      }
      tabs.order.replaceChildren(`Order ${id}`);
      if (!picked) show("order");
      load(id);
    },
  };

  async function load(id) {
    const gone = () => shownOrder !== id || !el.isConnected;
    let again = true;
    try {
      const order = await ask(`/console/orders/${id}`);
      if (gone()) return;
      known = order;
      timeline(id, order);
      // One that is stuck changes when an operator acts.
      again = ["RUNNING", "COMPENSATING", "STUCK"].includes(order.saga?.state);
    } catch (error) {
      if (gone()) return;
      if (known) timeline(id, known, `${error.message}: this is the order as it was seen last.`);
      else replace(panes.order, h("h2", {}, `Order ${id}`), h("p", { class: "none" }, isWatching() === false ? "No services are watched, so its timeline cannot be asked for." : error.message));
    }
    if (again) timer = setTimeout(() => load(id), ORDER_EVERY);
  }

  function timeline(id, { saga, timeline: entries, acts }, trouble) {
    const first = entries[0]?.at ?? saga.createdAt;
    replace(panes.order,
      h("h2", {}, `Order ${id} `, h("span", { class: `status ${kind(saga)}` }, saga.status)),
      trouble && h("p", { class: "alarm mild", role: "status" }, trouble),
      saga.stuckReason && h("p", { class: "alarm" }, `STUCK in ${saga.stuckAt}: ${saga.stuckReason}. It needs a person: shopctl saga show ${id}`),
      h("ol", { class: "timeline" }, entries.map((entry, index) => h("li", { class: index === entries.length - 1 ? `last ${kind(saga)}` : undefined },
        h("div", { class: "when" }, h("b", {}, entry.status),
          h("span", { class: "at" }, index === 0 ? clock(entry.at) : `+${span((entry.at - first) * 1000)}`)),
        h("p", {}, h("span", { class: "step" }, entry.step), entry.cause)))),
      acts.length > 0 && h("section", {}, h("h3", {}, "Acts of operators"), h("ol", { class: "events" }, acts.map((act) => h("li", {},
        h("b", {}, act.action), ` by ${act.who}: ${act.outcome}`, h("p", { class: "fields" }, act.why))))));
  }

  function clock(at) {
    return new Date(at).toLocaleTimeString([], { hour12: false });
  }

  function kind(saga) {
    if (saga.state === "STUCK") return "stuck";
    if (saga.status === "PAID") return "good";
    return ["CANCELLED", "REJECTED", "REFUNDED"].includes(saga.status) ? "given" : "open";
  }

  show("order");
  return pane;
}

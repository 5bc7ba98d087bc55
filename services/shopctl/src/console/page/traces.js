// Finding traces: by order, by service, or the newest; and one of them opened.

import { h, replace, span, age, colour, ask, go, link } from "./dom.js";
import { waterfall } from "./waterfall.js";

const LIST_EVERY = 2000;
// A trace that grew so recently is read again although its spans are all here: their log lines come later.
const LINES_LATE = 20000;
const LIST_LIMIT = 60;

export function traces(main, watch) {
  const found = h("ol", { class: "found", "aria-label": "Traces" });
  const count = h("p", { class: "count", role: "status" });
  const order = h("input", {
    id: "order", type: "search", inputmode: "numeric", autocomplete: "off", placeholder: "Order or trace id", "aria-label": "Order id or trace id",
  });
  const service = h("select", { id: "service", "aria-label": "Service", onchange: () => refresh() }, h("option", { value: "" }, "all services"));
  const errors = h("input", { type: "checkbox", id: "errors", onchange: () => refresh() });
  const form = h("form", { class: "find", role: "search", onsubmit: find },
    h("div", { class: "ask" }, order, h("button", { type: "submit" }, "Find")),
    h("div", { class: "narrow" }, service, h("label", { for: "errors" }, errors, "with errors")));
  const detail = h("section", { class: "detail", "aria-label": "Trace" });
  replace(main, h("div", { class: "traces" },
    h("aside", { class: "list", "aria-label": "Find traces" }, form, count, found), detail));

  let at = {};
  let shown = "";
  let open;
  let timer;
  let ended = false;
  let watching;
  const unwatch = watch((last) => { watching = last.watching; });

  function find(event) {
    event.preventDefault();
    const text = order.value.trim();
    if (/^[0-9]{1,15}$/.test(text)) go(`/orders/${text}`);
    else if (/^[0-9a-f]{16,32}$/i.test(text)) go(`/trace/${text.toLowerCase()}`);
    else if (text === "") go("/");
    else tell(`"${text}" is neither an order's number nor a trace's id.`);
  }

  function tell(text) { replace(count, text); }

  function question() {
    const query = new URLSearchParams({ limit: LIST_LIMIT });
    const tags = {};
    if (service.value) query.set("service", service.value);
    if (errors.checked) tags.error = "true";
    if (at.order) tags["order.id"] = at.order;
    if (Object.keys(tags).length) query.set("tags", JSON.stringify(tags));
    return `/console/traces?${query}`;
  }

  function row(trace) {
    const longest = Math.max(...list.map((one) => one.duration), 1);
    const width = Math.max(2, (Math.log10(trace.duration + 10) / Math.log10(longest + 10)) * 100);
    const total = trace.spans || 1;
    return h("li", {},
      link(`/trace/${trace.traceID}`, {
        class: "card", "aria-current": trace.traceID === open?.id ? "true" : undefined, "data-trace": trace.traceID,
      },
      h("span", { class: "name" }, trace.name ?? "(no span yet)"),
      h("span", { class: "orders" }, trace.orders.slice(0, 3).map((id) => `#${id}`).join(" ")),
      h("span", { class: "length", style: { width: `${width}%` }, "aria-hidden": "true" },
        trace.services.map((one) => h("i", { class: colour(one.name), style: { "flex-grow": one.spans / total } }))),
      h("span", { class: "facts" },
        span(trace.duration), " · ", `${trace.spans} spans`, " · ", `${age(Date.now() - trace.startTime / 1000)} ago`,
        trace.errors > 0 && h("b", { class: "bad" }, ` · ${trace.errors} ${trace.errors === 1 ? "error" : "errors"}`))));
  }

  let list = [];
  let turn = 0;
  async function refresh() {
    clearTimeout(timer);
    // An answer belongs to its question: the reader may have asked for something else meanwhile.
    const mine = ++turn;
    const late = () => ended || mine !== turn;
    try {
      const [services, answer] = await Promise.all([ask("/api/services"), ask(question())]);
      if (late()) return;
      fill(services.data);
      list = answer.data.map(asDrawn);
      paint();
      tell(words());
      if (at.order && !open && list.length) openTrace(best(list).traceID);
      else if (open && mayHaveGrown(open)) open.load();
    } catch (error) {
      if (late()) return;
      tell(error.message);
    }
    timer = setTimeout(refresh, LIST_EVERY);
  }

  function paint() {
    const now = JSON.stringify([list, open?.id, Math.floor(Date.now() / 10000)]);
    if (now === shown) return;
    shown = now;
    const focused = document.activeElement?.dataset?.trace;
    replace(found, list.map(row));
    if (focused) found.querySelector(`[data-trace="${CSS.escape(focused)}"]`)?.focus();
  }

  // A trace that the list does not name is asked for each time: an order can wait for minutes until a service is back, and then go on.
  function mayHaveGrown(trace) {
    const listed = list.find((one) => one.traceID === trace.id);
    return !trace.drawn || listed?.spans !== trace.drawn.spans || Date.now() - trace.drawn.grewAt < LINES_LATE;
  }

  // Of an order's traces the one that began with its POST tells its whole way.
  function best(list) {
    return list.find((trace) => trace.service === "gateway" && trace.name?.startsWith("POST")) ?? list.at(-1);
  }

  function words() {
    const what = at.order ? ` of order ${at.order}` : "";
    if (list.length === 0) return at.order ? `No trace${what} yet; spans arrive a few seconds after they end.` : "No traces yet. Place an order.";
    return `${list.length === LIST_LIMIT ? "The newest " : ""}${list.length} ${list.length === 1 ? "trace" : "traces"}${what}`;
  }

  function fill(names) {
    const have = [...service.options].slice(1).map((option) => option.value);
    if (have.join() === names.join()) return;
    const value = service.value;
    replace(service, h("option", { value: "" }, "all services"), names.map((name) => h("option", { value: name }, name)));
    service.value = names.includes(value) ? value : "";
  }

  function openTrace(id) {
    const mine = { id, drawn: undefined, load };
    open = mine;
    replace(detail);
    paint();
    let spans;
    let asking = false;
    async function load() {
      if (asking) return;
      asking = true;
      try {
        const [answer, lines] = await Promise.all([ask(`/api/traces/${id}`), ask(`/console/traces/${id}/logs`)]);
        if (open !== mine || ended) return;
        const trace = answer.data[0];
        spans ??= waterfall(detail, () => watching);
        spans.draw(trace, lines.data);
        if (mine.drawn?.spans !== trace.spans.length) mine.drawn = { ...sum(trace), grewAt: Date.now() };
        list = list.map(asDrawn);
        paint();
      } catch (error) {
        if (open !== mine || ended || mine.drawn) return;
        const unknown = error.status === 404;
        replace(detail, h("div", { class: "empty" },
          h("h1", {}, unknown ? "This trace is not here" : "The stand-in does not answer"),
          h("p", {}, unknown ? "Spans arrive a moment after they end, and only the newest traces are kept. It is shown as soon as it comes." : error.message)));
      } finally {
        asking = false;
      }
    }
    load();
  }

  // The list may be older than what is drawn; both say the same about a trace.
  function asDrawn(listed) {
    const drawn = listed.traceID === open?.id && open.drawn;
    if (!drawn || listed.spans > drawn.spans) return listed;
    return { ...listed, spans: drawn.spans, startTime: drawn.startTime, duration: drawn.duration };
  }

  function sum({ spans }) {
    const end = Math.max(...spans.map((one) => one.startTime + one.duration));
    const startTime = Math.min(...spans.map((one) => one.startTime));
    return { spans: spans.length, startTime, duration: end - startTime };
  }

  function nothing() {
    open = undefined;
    replace(detail, h("div", { class: "empty" },
      h("h1", {}, at.order ? `Order ${at.order}` : "One order is one trace"),
      h("p", {}, at.order
        ? "Its spans have not arrived, or were forgotten: only the newest traces are kept."
        : "Find an order by its number, or take a trace from the list. A trace goes from the POST through the services, their actors, SQL and events to the end of the saga, also across a crash."),
      h("p", { class: "keys" }, h("kbd", {}, "↑"), h("kbd", {}, "↓"), " move  ", h("kbd", {}, "←"), h("kbd", {}, "→"), " fold  ", h("kbd", {}, "/"), " find")));
  }

  const keys = (event) => {
    const typing = event.target.closest?.("input, select, textarea");
    if (event.key === "/" && !typing) { event.preventDefault(); order.focus(); order.select(); }
  };
  document.addEventListener("keydown", keys);

  return {
    at(next) {
      const sameOrder = next.order === at.order && next.trace === undefined;
      at = next;
      if (next.order) order.value = next.order;
      if (next.trace) {
        if (open?.id !== next.trace) openTrace(next.trace);
      } else if (!sameOrder || !next.order) nothing();
      shown = "";
      refresh();
    },
    end() { ended = true; unwatch(); clearTimeout(timer); document.removeEventListener("keydown", keys); },
  };
}


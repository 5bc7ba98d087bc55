// The supervision trees as they are at this moment, and the orders under way beside them.

import { h, replace, age, colour, link } from "./dom.js";

// A process that came back is marked for so long.
const HEALED_FOR = 12000;
// A process was seen up or gone before: an age shorter than a look says nothing.
const LOOK = 1000;
const HISTORY = 60;
// A column of trees is not narrower than this, with the space beside it, in pixels.
const COLUMN = 290;
const BETWEEN = 16;
// What a tree takes besides its actors, in rows.
const HEAD_ROWS = 4;
// Children of one actor that are shown; the orders beside the trees are all named there.
const CHILDREN_SHOWN = 8;
// An order's way forward.
const STEPS = ["reserving", "awaiting_payment", "committing", "completed"];
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export function actors(main, watch) {
  const trees = h("div", { class: "processes" });
  const sagas = h("aside", { class: "list sagas", "aria-label": "Orders under way" });
  const news = h("p", { class: "sr", role: "status" });
  replace(main, h("div", { class: "actors" }, news, sagas, trees));
  const cards = new Map();
  let laid = "";

  function draw(last) {
    if (!last.watching) {
      cards.clear();
      laid = "";
      replace(trees, h("div", { class: "empty" }, h("h1", {}, "No services are watched"),
        h("p", {}, "make dev and shopctl demo --stay watch theirs. Alone: shopctl telemetry --watch orders=https://… --tls-dir …")));
      replace(sagas);
      return;
    }
    for (const process of last.processes) {
      if (!cards.has(process.name)) cards.set(process.name, makeCard(process));
      cards.get(process.name).draw(process, last.at);
    }
    lay();
    drawSagas(last.sagas, last.at);
  }

  // Each tree goes to the column that is the shortest so far; children come and go and move nothing.
  function lay() {
    const count = Math.max(1, Math.min(cards.size, Math.floor((trees.clientWidth + BETWEEN) / (COLUMN + BETWEEN))));
    const now = JSON.stringify([count, [...cards].map(([name, card]) => [name, card.rows])]);
    if (now === laid || !cards.size) return;
    laid = now;
    const columns = Array.from({ length: count }, () => ({ rows: 0, cards: [] }));
    for (const card of cards.values()) {
      const shortest = columns.reduce((best, one) => (one.rows < best.rows ? one : best));
      shortest.rows += card.rows + HEAD_ROWS;
      shortest.cards.push(card.el);
    }
    replace(trees, columns.map((column) => h("div", { class: "column" }, column.cards)));
  }

  function makeCard(first) {
    const service = first.name.replace(/-[0-9]+$/, "");
    const state = h("span", { class: "state" });
    const facts = h("span", {});
    const boxes = h("span", {});
    const back = h("span", { class: "restarts" });
    const history = h("div", { class: "history", "aria-hidden": "true", title: "The last minute" });
    const rows = h("ul", { class: "tree" });
    const el = h("article", { class: `process ${colour(service)}`, "aria-label": first.name },
      h("header", {}, h("h2", {}, first.name, back), state), history, h("p", { class: "facts" }, facts, boxes), rows);
    const past = [];
    const card = { el, draw, rows: 0 };
    let was;

    function draw(process, now) {
      const healed = process.up && process.wasGone !== null && now - process.since < HEALED_FOR;
      const kind = !process.up ? (process.known ? "gone" : "waiting") : healed ? "back" : "up";
      el.dataset.state = kind;
      const words = {
        up: () => "up",
        back: () => (process.wasGone < LOOK ? "back at once" : `back after ${age(process.wasGone)}`),
        gone: () => (now - process.since < LOOK ? "gone" : `gone for ${age(now - process.since)}`),
        waiting: () => "not seen yet",
      }[kind]();
      replace(state, h("i", { class: `dot ${kind}` }), words);
      if (was && was !== kind && (kind === "gone" || kind === "back")) news.textContent = `${process.name} is ${words}`;
      was = kind;
      const waiting = process.actors.reduce((sum, actor) => sum + actor.depth, 0);
      const alive = process.actors.reduce((sum, actor) => sum + (actor.parent ? 0 : 1 + actor.children), 0);
      replace(facts, process.up
        ? [`${alive} actors`, process.startedAt && ` · began ${age(now - process.startedAt)} ago`]
        : process.known ? "the tree as it was" : "asking …");
      facts.title = process.up ? "" : process.reason;
      replace(boxes, "mailboxes", process.up && waiting > 0 && [" ", h("b", {}, waiting)]);
      replace(back, process.restarts > 0 && `↻ ${process.restarts}`);
      back.title = `came back ${process.restarts} times`;
      card.rows = process.actors.filter((actor) => !actor.parent).length;
      past.push(kind);
      if (past.length > HISTORY) past.shift();
      replace(history, Array.from({ length: HISTORY - past.length }, () => h("i")), past.map((one) => h("i", { class: one })));
      const list = few(process.actors);
      replace(rows, list.map((actor, index) => row(actor, list[index + 1], process)));
    }

    return card;
  }

  function few(list) {
    const seen = new Map();
    return list.filter(({ parent }) => {
      const before = seen.get(parent) ?? 0;
      seen.set(parent, before + 1);
      return !parent || before < CHILDREN_SHOWN;
    });
  }

  function row(actor, next, process) {
    const last = !next || (actor.parent && next.parent !== actor.parent);
    const children = actor.children > CHILDREN_SHOWN ? `${CHILDREN_SHOWN} of ${actor.children}` : actor.children;
    const full = actor.capacity ? actor.depth / actor.capacity : 0;
    // A few messages are seen although thousands have room.
    const share = Math.log2(actor.depth + 1) / Math.log2(actor.capacity + 1);
    const state = process.up ? actor.state : "gone";
    const bar = h("span", {
      class: full > 0.8 ? "box full" : "box", role: "meter", "aria-label": `mailbox of ${actor.name}`, "aria-valuemin": 0, "aria-valuemax": actor.capacity, "aria-valuenow": actor.depth,
      title: `${actor.depth} of ${actor.capacity} places taken`,
    }, h("i", { style: { width: process.up && actor.depth > 0 ? `${Math.max(6, share * 100)}%` : "0" } }));
    return h("li", { class: `${actor.parent ? "child" : ""} ${last ? "last" : ""} is-${state}`, title: actor.about.replaceAll("\n", " ") },
      h("i", { class: `dot ${state}`, title: state }),
      actor.parent && actor.name.startsWith("saga/")
        ? link(`/orders/${actor.name.slice(5)}`, { class: "name" }, actor.name)
        : h("span", { class: "name" }, actor.name, actor.children > 0 && h("small", {}, ` ${children}`)),
      h("span", { class: "doing" }, state === "running" ? actor.doing : state === "gone" ? "" : state),
      actor.restarts > 0 ? h("span", { class: "restarts", title: "restarted by its supervisor" }, `↻${actor.restarts}`) : h("span", {}),
      h("span", { class: "depth" }, process.up && actor.depth > 0 && actor.depth), bar);
  }

  function drawSagas(answer, now) {
    const head = (note) => h("header", {}, h("h2", {}, "Orders under way"), note !== undefined && h("span", { class: "total" }, note));
    if (answer.error) {
      replace(sagas, head(), h("p", { class: "none" }, `orders says: ${answer.error}`));
      return;
    }
    const focused = document.activeElement?.dataset?.order;
    const top = sagas.querySelector(".found")?.scrollTop ?? 0;
    const list = h("ol", { class: "found" }, answer.list.map((one) => saga(one, now)));
    replace(sagas, head(answer.more ? `${answer.list.length}+` : answer.list.length),
      answer.list.length === 0 ? h("p", { class: "none" }, "Every order has ended.") : list);
    list.scrollTop = top;
    if (focused) sagas.querySelector(`[data-order="${CSS.escape(focused)}"]`)?.focus();
  }

  function saga(one, now) {
    const kind = one.state === "STUCK" ? "stuck" : one.state === "COMPENSATING" ? "returns" : "forward";
    // One that goes back has no place on the way forward.
    const reached = kind === "forward" ? STEPS.indexOf(one.step) : STEPS.length;
    const words = (name) => name.toLowerCase().replaceAll("_", " ");
    const stage = kind === "stuck" ? "stuck" : words(one.status);
    const again = one.wakeIn === null ? undefined : one.wakeIn <= 0 ? "looks again now" : `looks again in ${age(one.wakeIn * 1000)}`;
    const facts = kind === "stuck" ? `${words(one.stuckAt)}: ${words(one.stuckReason)}` : [words(one.step), again].filter((text) => text && text !== stage).join(" · ");
    return h("li", {}, link(`/orders/${one.orderId}`, { class: `card saga ${kind}`, "data-order": one.orderId },
      h("span", { class: "name" }, `#${one.orderId}`, h("span", { class: "stage" }, stage)),
      h("span", { class: "orders" }, age(now - one.createdAt)),
      h("span", { class: "steps", "aria-hidden": "true" }, STEPS.map((name, index) => h("i", { class: index < reached ? "done" : index === reached ? "at" : undefined, title: name }))),
      h("span", { class: "facts" }, facts || words(one.step))));
  }

  document.documentElement.classList.toggle("still", STILL.matches);
  const resized = new ResizeObserver(lay);
  resized.observe(trees);
  const stop = watch(draw);
  return { end() { stop(); resized.disconnect(); } };
}

// The supervision trees as they are at this moment, and the orders under way.

import { h, replace, age, colour, link } from "./dom.js";

// A process that came back is marked for so long.
const HEALED_FOR = 12000;
const HISTORY = 60;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export function actors(main, watch) {
  const trees = h("div", { class: "processes" });
  const sagas = h("section", { class: "sagas", "aria-label": "Orders under way" });
  const news = h("p", { class: "sr", role: "status" });
  replace(main, h("div", { class: "actors" }, news, trees, sagas));
  const cards = new Map();

  function draw(last) {
    if (!last.watching) {
      cards.clear();
      replace(trees, h("div", { class: "empty" }, h("h1", {}, "No services are watched"),
        h("p", {}, "make dev and shopctl demo --stay watch theirs. Alone: shopctl telemetry --watch orders=https://… --tls-dir …")));
      replace(sagas);
      return;
    }
    if (!cards.size) replace(trees);
    for (const process of last.processes) {
      let card = cards.get(process.name);
      if (!card) {
        card = makeCard(process);
        cards.set(process.name, card);
        trees.append(card.el);
      }
      card.draw(process, last.at);
    }
    drawSagas(last.sagas, last.at);
  }

  function makeCard(first) {
    const service = first.name.replace(/-[0-9]+$/, "");
    const state = h("span", { class: "state" });
    const facts = h("p", { class: "facts" });
    const history = h("div", { class: "history", "aria-hidden": "true", title: "The last minute" });
    const rows = h("ul", { class: "tree" });
    const el = h("article", { class: `process ${colour(service)}`, "aria-label": first.name },
      h("header", {}, h("h2", {}, first.name), state), facts, history, rows);
    const past = [];
    let was;

    function draw(process, now) {
      const back = process.up && process.wasGone !== null && now - process.since < HEALED_FOR;
      const kind = !process.up ? (process.known ? "gone" : "waiting") : back ? "back" : "up";
      el.dataset.state = kind;
      const words = {
        up: () => "up",
        back: () => `back after ${age(process.wasGone)}`,
        gone: () => `gone for ${age(now - process.since)}`,
        waiting: () => "not seen yet",
      }[kind]();
      replace(state, h("i", { class: `dot ${kind}` }), words);
      if (was && was !== kind && (kind === "gone" || kind === "back")) news.textContent = `${process.name} is ${words}`;
      was = kind;
      const busy = process.actors.reduce((sum, actor) => sum + actor.depth, 0);
      replace(facts, process.up
        ? [`${process.actors.length} actors · ${busy} messages waiting`, process.startedAt && ` · began ${age(now - process.startedAt)} ago`]
        : [process.known ? `${process.reason || "no answer"}; the tree as it was` : process.reason || "asking …"],
        process.restarts > 0 && h("b", { class: "restarts" }, ` · came back ${process.restarts}×`));
      past.push(kind);
      if (past.length > HISTORY) past.shift();
      replace(history, Array.from({ length: HISTORY - past.length }, () => h("i")), past.map((one) => h("i", { class: one })));
      replace(rows, process.actors.map((actor, index) => row(actor, process, index)));
    }

    return { el, draw };
  }

  function row(actor, process, index) {
    const last = index === process.actors.length - 1 || (actor.parent && process.actors[index + 1]?.parent !== actor.parent);
    const full = actor.capacity ? actor.depth / actor.capacity : 0;
    const state = process.up ? actor.state : "gone";
    const bar = h("span", {
      class: full > 0.8 ? "box full" : "box", role: "meter", "aria-label": `mailbox of ${actor.name}`, "aria-valuemin": 0, "aria-valuemax": actor.capacity, "aria-valuenow": actor.depth,
      title: `${actor.depth} of ${actor.capacity} places taken`,
    }, h("i", { style: { width: actor.depth ? `${Math.max(4, Math.sqrt(full) * 100)}%` : "0" } }));
    return h("li", { class: `${actor.parent ? "child" : ""} ${last ? "last" : ""} is-${state}`, title: actor.about.replaceAll("\n", " ") },
      h("i", { class: `dot ${state}`, title: state }),
      actor.parent && actor.name.startsWith("saga/")
        ? link(`/orders/${actor.name.slice(5)}`, { class: "name" }, actor.name)
        : h("span", { class: "name" }, actor.name, actor.children > 0 && h("small", {}, ` ${actor.children}`)),
      h("span", { class: "doing" }, state === "running" ? actor.doing : state === "gone" ? "" : state),
      actor.restarts > 0 ? h("span", { class: "restarts", title: "restarted by its supervisor" }, `↻${actor.restarts}`) : h("span", {}),
      bar, h("span", { class: "depth" }, `${actor.depth}/${actor.capacity}`));
  }

  function drawSagas(answer, now) {
    if (answer.error) {
      replace(sagas, h("h2", {}, "Orders under way"), h("p", { class: "none" }, `orders says: ${answer.error}`));
      return;
    }
    const focused = document.activeElement?.dataset?.order;
    replace(sagas,
      h("h2", {}, "Orders under way ", h("small", {}, answer.more ? `${answer.list.length}+` : answer.list.length)),
      answer.list.length === 0
        ? h("p", { class: "none" }, "Every order has ended.")
        : h("table", {}, h("thead", {}, h("tr", {}, ["order", "status", "step", "age", "looks again"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", {}, answer.list.map((saga) => h("tr", { class: saga.state === "STUCK" ? "stuck" : saga.state === "COMPENSATING" ? "back" : undefined },
            h("td", {}, link(`/orders/${saga.orderId}`, { "data-order": saga.orderId }, `#${saga.orderId}`)),
            h("td", {}, saga.status), h("td", {}, saga.state === "STUCK" ? `STUCK in ${saga.stuckAt}: ${saga.stuckReason}` : saga.step),
            h("td", {}, age(now - saga.createdAt)),
            h("td", {}, saga.wakeIn === null ? "" : saga.wakeIn < 0 ? "due" : `in ${age(saga.wakeIn * 1000)}`))))));
    if (focused) sagas.querySelector(`[data-order="${CSS.escape(focused)}"]`)?.focus();
  }

  document.documentElement.classList.toggle("still", STILL.matches);
  const stop = watch(draw);
  return { end: stop };
}

// A trace in Jaeger's JSON as rows: parents before children, each with what the picture needs.

const COMPENSATES = /\b(releas|void|refund|compensat|cancel)/i;

const text = (tags, key) => tags.find((tag) => tag.key === key)?.value;

export function model(trace) {
  const spans = trace.spans.map((raw) => {
    const process = trace.processes[raw.processID];
    const parent = raw.references.find((one) => one.refType === "CHILD_OF" && one.traceID === raw.traceID);
    return {
      raw,
      id: raw.spanID,
      parent: parent?.spanID,
      name: raw.operationName,
      start: raw.startTime,
      end: raw.startTime + raw.duration,
      service: process.serviceName,
      instance: text(process.tags, "service.instance.id"),
      process,
      tags: raw.tags,
      events: raw.logs.map((log) => ({
        at: log.timestamp,
        name: text(log.fields, "event") ?? "event",
        fields: log.fields.filter((field) => field.key !== "event"),
      })),
      links: raw.references.filter((one) => one.refType === "FOLLOWS_FROM"),
      error: text(raw.tags, "error") === true,
      message: text(raw.tags, "otel.status_description"),
      compensates: COMPENSATES.test(raw.operationName),
      kind: text(raw.tags, "span.kind"),
      children: [],
    };
  });
  const known = new Map(spans.map((one) => [one.id, one]));
  const roots = [];
  for (const one of spans) {
    const parent = one.parent && known.get(one.parent);
    if (parent && parent !== one) parent.children.push(one);
    else roots.push(one);
  }
  const rows = [];
  const lay = (one, depth) => {
    one.depth = depth;
    // Its parent was never sent: the process died before it could.
    one.orphan = depth === 0 && one.parent !== undefined;
    rows.push(one);
    one.children.sort((a, b) => a.start - b.start).forEach((child) => lay(child, depth + 1));
  };
  roots.sort((a, b) => a.start - b.start).forEach((root) => lay(root, 0));
  const orders = [...new Set(spans.map((one) => text(one.tags, "order.id")).filter((id) => id !== undefined))];
  return { id: trace.traceID, rows, orders: orders.map(String), services: services(rows) };
}

function services(rows) {
  const known = new Map();
  for (const row of rows) {
    const one = known.get(row.service) ?? { name: row.service, spans: 0, instances: new Set() };
    one.spans += 1;
    if (row.instance) one.instances.add(row.instance);
    known.set(row.service, one);
  }
  return [...known.values()];
}

/** Says of each gap which service went on as another process after it, if one did: the mark of a crash. */
export function explain(gaps, rows) {
  return gaps.map((gap) => {
    const moved = [];
    for (const name of new Set(rows.map((row) => row.service))) {
      const mine = rows.filter((row) => row.service === name && row.instance);
      const before = new Set(mine.filter((row) => row.start < gap.to).map((row) => row.instance));
      const after = new Set(mine.filter((row) => row.start >= gap.to).map((row) => row.instance));
      const fresh = [...after].some((instance) => !before.has(instance));
      if (before.size && after.size && fresh && ![...before].some((instance) => after.has(instance))) moved.push(name);
    }
    return { ...gap, moved };
  });
}

/** Time of a span in which none of its children ran. */
export function own(row) {
  let covered = 0;
  let to = row.start;
  for (const child of row.children) {
    const [from, until] = [Math.max(child.start, to), Math.min(child.end, row.end)];
    if (until > from) { covered += until - from; to = until; }
  }
  return row.end - row.start - covered;
}

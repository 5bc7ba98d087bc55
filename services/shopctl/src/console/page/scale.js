// Where time goes on the picture. Stretches in which nothing ran are folded to narrow bands, so that an order that waited three seconds for a crashed
// service still shows its milliseconds.

// A band's share of the width, and what all bands may take together.
const BAND = 0.055;
const BANDS_MAX = 0.4;
// What the label of a tick takes, in pixels.
const LABEL_WIDTH = 62;
// What counts as a gap: this much of the whole, and not less than this many microseconds.
const GAP_SHARE = 0.08;
const GAP_MIN_US = 40000;

/** Times in which at least one span ran, as [from, to], in order. */
function busy(spans) {
  const sorted = spans.map((one) => [one.start, one.end]).sort((a, b) => a[0] - b[0]);
  const stretches = [];
  for (const [from, to] of sorted) {
    const last = stretches.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else stretches.push([from, to]);
  }
  return stretches;
}

/** The gaps of a trace: {from, to, note?}. */
export function gaps(spans) {
  const stretches = busy(spans);
  if (stretches.length < 2) return [];
  const whole = stretches.at(-1)[1] - stretches[0][0];
  const least = Math.max(GAP_MIN_US, whole * GAP_SHARE);
  const found = [];
  for (let i = 1; i < stretches.length; i += 1) {
    const [from, to] = [stretches[i - 1][1], stretches[i][0]];
    if (to - from >= least) found.push({ from, to });
  }
  return found;
}

/** Places on the picture: at(time) is 0 to 1; ticks are {at, time}, so far apart that their labels stand on a picture of `width` pixels. */
export function scale(spans, folded, width) {
  const start = Math.min(...spans.map((one) => one.start));
  const end = Math.max(...spans.map((one) => one.end), start + 1);
  const bands = folded.length ? Math.min(BAND, BANDS_MAX / folded.length) : 0;
  const awake = end - start - folded.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const pieces = [];
  let from = start;
  let at = 0;
  const piece = (to, width, gap) => {
    pieces.push({ from, to, at, width, gap });
    at += width;
    from = to;
  };
  const share = 1 - bands * folded.length;
  const length = (us) => (awake > 0 ? (us / awake) * share : share / (folded.length + 1));
  for (const gap of folded) {
    piece(gap.from, length(gap.from - from));
    piece(gap.to, bands, gap);
  }
  piece(end, length(end - from));

  const place = (time) => {
    const on = pieces.find((one) => time <= one.to) ?? pieces.at(-1);
    const part = on.to > on.from ? (time - on.from) / (on.to - on.from) : 0;
    return on.at + Math.min(1, Math.max(0, part)) * on.width;
  };
  return { start, end, at: place, ticks: ticks(pieces, start, awake, LABEL_WIDTH / width) };
}

function nice(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough);
}

function ticks(pieces, start, awake, apart) {
  const step = nice(Math.max(1, awake / 5));
  const all = [];
  for (const piece of pieces) {
    if (piece.gap) continue;
    const wanted = [piece.from - start];
    for (let time = Math.ceil((piece.from - start) / step) * step; time <= piece.to - start; time += step) wanted.push(time);
    for (const time of wanted) {
      const part = piece.to > piece.from ? (time + start - piece.from) / (piece.to - piece.from) : 0;
      const at = piece.at + part * piece.width;
      if (!all.length || at - all.at(-1).at > apart) all.push({ at, time });
    }
  }
  return all.filter((tick) => tick.at <= 1 - apart * 0.8);
}

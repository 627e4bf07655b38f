// Small charts in SVG, drawn at the width they are given so that text keeps its size. Each has its figures as a table.

const GLYPH = 7.4; // mean width of a glyph at 13 px, on the wide side
const textWidth = (text) => text.length * GLYPH;

function frame(width, height, title, ...children) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title }, ...children);
}

/** A figure of a chart: caption, drawing, and the same numbers as a table to open. */
function figure(title, drawing, head, rows) {
  const cells = (row) => row.map((text, i) => (i ? h("td", { class: "num" }, text) : h("th", { scope: "row" }, text)));
  return h(
    "figure",
    { class: "chart" },
    drawing,
    h(
      "details",
      { class: "figures-table" },
      h("summary", {}, "as a table"),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "group", "aria-label": title },
        h("table", {}, h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows.map((row) => h("tr", {}, ...cells(row))))),
      ),
    ),
  );
}

/** A text cut to a width, with an ellipsis. */
function cut(text, width) {
  const room = Math.floor(width / GLYPH);
  return text.length <= room ? text : `${text.slice(0, Math.max(4, room - 1)).replace(/[ ,(]+$/, "")}…`;
}

/** Horizontal bars from zero: rows `{ label, value, low, high, text, strong }`; a line shows the 90 % range. */
function bars(width, title, rows) {
  const narrow = width < 460;
  const labels = narrow ? 0 : Math.min(width * 0.42, Math.max(...rows.map(({ label }) => textWidth(label))) + 12);
  const values = Math.max(...rows.map(({ text }) => textWidth(text))) + 8;
  const most = Math.max(...rows.map(({ value, high }) => high ?? value)) || 1;
  const room = Math.max(40, width - labels - values - 8);
  const step = narrow ? 42 : 27;
  const x = (value) => labels + (room * value) / most;
  const parts = rows.flatMap((row, i) => {
    const top = i * step + (narrow ? 18 : 4);
    const middle = top + 8;
    const ranged = row.high !== undefined && row.high > row.low;
    return [
      s("text", { x: narrow ? 0 : labels - 10, y: narrow ? top - 5 : middle + 4.5, "text-anchor": narrow ? "start" : "end", class: row.strong ? "strong" : "" }, cut(row.label, narrow ? width : labels - 10), s("title", {}, row.label)),
      s("rect", { x: labels, y: top, width: Math.max(1, x(row.value) - labels), height: 16, rx: 2, class: row.strong ? "bar strong" : "bar" }),
      ranged ? s("line", { x1: x(row.low), x2: x(row.high), y1: middle, y2: middle, class: "range" }) : null,
      s("text", { x: x(row.high ?? row.value) + 8, y: middle + 4.5, class: row.strong ? "strong value" : "value" }, row.text),
    ];
  });
  return frame(width, rows.length * step + 6, title, ...parts);
}

/** One bar in parts `{ name, value }`; the legend is HTML beside it. */
function stacked(width, title, parts) {
  const whole = parts.reduce((sum, { value }) => sum + value, 0);
  let at = 0;
  const drawn = parts.map(({ value }, i) => {
    const x = (width * at) / whole;
    at += value;
    return s("rect", { x: x + (i ? 1 : 0), y: 0, width: Math.max(0.5, (width * value) / whole - (i ? 1 : 0)), height: 28, class: `part-${i}` });
  });
  return frame(width, 28, title, ...drawn);
}

function ticks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of [1, 2, 5]) {
      const value = digit * 10 ** power;
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found.length > 6 ? found.filter((value) => /^1/.test(value.toExponential())) : found;
}

/** Points `{ label, x, y, chosen, partial }` on logarithmic axes; of those not `partial` the ones that none beats on both are joined. */
function scatter(width, title, points, unitX, unitY) {
  const height = Math.min(380, Math.max(260, width * 0.55));
  const span = (values) => [Math.min(...values) / 1.25, Math.max(...values) * 1.25];
  const [lowX, highX] = span(points.map(({ x }) => x));
  const [lowY, highY] = span(points.map(({ y }) => y));
  const tick = (value, unit) => show({ value, unit }).replace(/(\.\d*?)0+(?= |$)/, "$1").replace(/\.(?= |$)/, "");
  const upward = ticks(lowY, highY);
  const left = Math.max(...upward.map((y) => textWidth(tick(y, unitY))), 40) + 10;
  const [right, top, bottom] = [18, 14, 44];
  const px = (x) => left + ((width - left - right) * Math.log(x / lowX)) / Math.log(highX / lowX);
  const py = (y) => height - bottom - ((height - top - bottom) * Math.log(y / lowY)) / Math.log(highY / lowY);
  const label = (value, unit) => show({ value, unit });
  const best = paretoFront(points.filter(({ partial }) => !partial));
  const grid = [
    ...ticks(lowX, highX).flatMap((x) => [
      s("line", { x1: px(x), x2: px(x), y1: top, y2: height - bottom, class: "grid" }),
      s("text", { x: px(x), y: height - bottom + 18, "text-anchor": "middle", class: "value" }, tick(x, unitX)),
    ]),
    ...upward.flatMap((y) => [
      s("line", { x1: left, x2: width - right, y1: py(y), y2: py(y), class: "grid" }),
      s("text", { x: left - 8, y: py(y) + 4, "text-anchor": "end", class: "value" }, tick(y, unitY)),
    ]),
  ];
  const path = best.map(({ x, y }, i) => `${i ? "L" : "M"}${px(x)} ${py(y)}`).join("");
  const dots = points.map((point) =>
    s(
      "circle",
      { cx: px(point.x), cy: py(point.y), r: point.chosen ? 7 : 4.5, class: `dot${point.chosen ? " chosen" : ""}${point.partial ? " partial" : ""}` },
      s("title", {}, `${point.label}: ${label(point.x, unitX)}, ${label(point.y, unitY)}`),
    ),
  );
  const named = [...new Set([...points.filter(({ chosen }) => chosen), ...best])];
  const taken = [];
  const names = named.flatMap((point) => {
    const long = textWidth(point.label);
    const end = px(point.x) + 10 + long > width - right;
    const box = { x: end ? px(point.x) - 10 - long : px(point.x) + 10, y: py(point.y) - 6, long };
    if (box.x < left || taken.some((other) => Math.abs(other.y - box.y) < 15 && box.x < other.x + other.long && other.x < box.x + long)) return [];
    taken.push(box);
    return [s("text", { x: box.x, y: box.y, class: point.chosen ? "strong halo" : "halo" }, point.label)];
  });
  const axis = s("text", { x: left, y: height - 6, class: "value" }, "cost →, carbon ↑: lower left is better");
  return frame(width, height, title, ...grid, s("path", { d: path, class: "front" }), ...dots, ...names, axis);
}

/** The points that no other beats on both axes, by rising cost. */
function paretoFront(points) {
  let least = Infinity;
  return [...points]
    .sort((a, b) => a.x - b.x || a.y - b.y)
    .filter(({ y }) => {
      if (y >= least) return false;
      least = y;
      return true;
    });
}

// What else could be chosen: levers that halve it, regions, cost against carbon.

const METRIC_OPTIONS = Object.entries(METRICS).map(([key, { name }]) => [key, name]);

function picker(label, options, value, pick) {
  const id = `picker-${label.replaceAll(" ", "-")}`;
  const select = h("select", { id, onchange: () => pick(select.value) }, ...options.map(([key, text]) => h("option", { value: key }, text)));
  select.value = value;
  return h("div", { class: "picker" }, h("label", { for: id }, label), select);
}

const choice = { metric: "carbon", provider: null, all: false, tradeoff: "gpus" };
const choosing = (patch) => {
  Object.assign(choice, patch);
  app.refreshChoices();
};

function leversSection({ request, found }) {
  const metric = METRICS[choice.metric].of(found) ? choice.metric : "gpu_hours";
  const rows = levers(request, metric).map((lever) =>
    h(
      "tr",
      { class: lever.ratio <= 0.5005 ? "halves" : "" },
      h("th", { scope: "row" }, lever.lever),
      h("td", {}, lever.what, lever.note ? h("span", { class: "detail" }, lever.note) : null),
      h("td", { class: "num" }, show({ value: lever.value, unit: METRICS[metric].unit })),
      h("td", { class: "num" }, `−${fixed(100 * (1 - lever.ratio), 0)} %`),
      h("td", {}, lever.ratio <= 0.5005 ? h("span", { class: "tag" }, "halves it") : ""),
      h("td", {}, h("button", { type: "button", class: "plain small", "aria-label": `Compare: ${lever.lever}, ${lever.what}`, onclick: () => app.add({ ...request, ...lever.change }, lever.lever) }, "compare")),
    ),
  );
  const head = ["Lever", "Turned to", METRICS[metric].name, "Change", "", "As a scenario"];
  return h(
    "section",
    { "aria-labelledby": "halve" },
    h("h2", { id: "halve" }, "What would halve it"),
    h("p", { class: "hint" }, "Each lever turned alone, recomputed by the engine; grids only against grids of the same basis."),
    picker("Halve", METRIC_OPTIONS.filter(([key]) => METRICS[key].of(found)), metric, (key) => choosing({ metric: key })),
    rows.length
      ? h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "What would halve it" }, h("table", { class: "stack" }, h("thead", {}, h("tr", {}, ...head.map((text, i) => h(text ? "th" : "td", { scope: text ? "col" : null, class: i === 2 || i === 3 ? "num" : "" }, text)))), h("tbody", {}, ...rows)))
      : h("p", {}, "No lever lowers this figure."),
  );
}

const BASIS_TITLES = {
  lifecycle: "Lifecycle intensity: plants built, fuelled and run",
  direct: "Direct intensity: at the stack only, not comparable with lifecycle",
  marginal: "Marginal intensity",
};
const SHOWN_REGIONS = 10;

function regionsSection({ request, found }, width) {
  const title = "The same run in other regions";
  const heading = h("h2", { id: "regions" }, title);
  const wrap = (...parts) => h("section", { "aria-labelledby": "regions" }, heading, ...parts);
  if (request.zone !== undefined || request.intensity_g_per_kwh !== undefined) {
    return wrap(h("p", {}, "A grid zone or an intensity is given, which would hold in every region: clear it to compare regions."));
  }
  const own = REGIONS.get(request.region);
  const provider = choice.provider ?? own?.provider ?? "aws";
  const providers = [...new Set(DATA.regions.map((region) => region.provider))].map((name) => [name, name]);
  const groups = new Map();
  for (const region of DATA.regions) {
    if (region.provider !== provider && region.key !== request.region) continue;
    const { value, found: there } = central("carbon", { ...request, region: region.key });
    const kg = there?.carbon.operational?.value;
    if (value === null || kg === undefined) continue;
    const basis = there.carbon.intensity_basis;
    groups.set(basis, [...(groups.get(basis) ?? []), { region, kg }]);
  }
  const drawn = [...groups].sort(([a], [b]) => (a === "lifecycle" ? -1 : b === "lifecycle" ? 1 : a < b ? -1 : 1)).map(([basis, members]) => {
    members.sort((a, b) => a.kg - b.kg);
    const kept = choice.all ? members : members.filter(({ region }, i) => i < SHOWN_REGIONS || region.key === request.region || i === members.length - 1);
    const rows = kept.map(({ region, kg }) => {
      const range = regionRange(request, region);
      const strong = region.key === request.region;
      return { label: `${region.key}${region.key.length < 24 ? `, ${region.place}` : ""}`, value: kg, ...range, text: show({ value: kg, unit: "kgCO2e" }), strong };
    });
    const table = rows.map((row) => [row.label, row.text, showRange({ value: row.value, low: row.low, high: row.high, unit: "kgCO2e" })]);
    const name = `${BASIS_TITLES[basis] ?? basis}`;
    return [h("h3", {}, name), figure(name, bars(width, name, rows), ["Region", "Operational carbon", "90 % range"], table), kept.length < members.length ? h("p", { class: "hint" }, `${members.length - kept.length} of ${members.length} between are not drawn.`) : null];
  });
  return wrap(
    h("p", { class: "hint" }, `Operational carbon, ${BOUNDARIES[found.energy.headline]}, lowest first; the line is the 90 % range. PUE changes with the region; what is common to all regions is in every range.`),
    h("div", { class: "pickers" }, picker("Provider", providers, provider, (name) => choosing({ provider: name })),
      h("label", { class: "check" }, fill(h("input", { type: "checkbox", onchange: (event) => choosing({ all: event.target.checked }) }), { checked: choice.all }, []), "all regions")),
    ...drawn.flat(),
  );
}

/** The 90 % range of operational carbon in a region, once for each grid and PUE. */
const ranges = new Map();
function regionRange(request, region) {
  const key = JSON.stringify([tidy({ ...request, region: undefined }), region.grid, region.pue]);
  if (!ranges.has(key)) {
    if (ranges.size > 500) ranges.clear();
    const [low, high] = estimateWithDraws({ ...request, region: region.key }).draws.operational.interval();
    ranges.set(key, { low, high });
  }
  return ranges.get(key);
}

function tradeoffPoints(request, found) {
  const byGpu = choice.tradeoff === "gpus";
  const alternatives = byGpu
    ? DATA.gpus.filter((gpu) => gpu.price !== null).map((gpu) => ({ label: shortGpu(gpu.name), change: { gpu: gpu.name, node: gpu.name === request.gpu ? request.node : undefined }, chosen: gpu.name === request.gpu }))
    : DATA.regions.map((region) => ({ label: region.key, change: { region: region.key }, chosen: region.key === request.region }));
  const points = [];
  for (const { label, change, chosen } of alternatives) {
    const { found: there } = central("cost", { ...request, ...change });
    const { cost, carbon, energy } = there ?? {};
    if (!there || !cost.total || !carbon.operational || !(carbon.operational.value > 0)) continue;
    if (carbon.intensity_basis !== found.carbon.intensity_basis) continue;
    points.push({ label, chosen, x: cost.total.value, y: carbon.operational.value, partial: energy.headline === "gpu" });
  }
  return points;
}

function tradeoffSection({ request, found }, width) {
  const title = "Cost against carbon";
  const fixedPlace = request.zone !== undefined || request.intensity_g_per_kwh !== undefined;
  const points = found.carbon.operational ? tradeoffPoints(request, found) : [];
  const options = [["gpus", "other GPUs, same number"], ...(fixedPlace ? [] : [["regions", "other regions, same GPU"]])];
  const partial = points.some((point) => point.partial) ? " Hollow: boards only, a lower bound, not comparable with the filled ones." : "";
  const rows = [...points].sort((a, b) => a.x - b.x).map(({ label, x, y, partial: lower }) => [label, show({ value: x, unit: "USD" }), show({ value: y, unit: "kgCO2e" }), lower ? "GPU boards" : "facility"]);
  return h(
    "section",
    { "aria-labelledby": "tradeoff" },
    h("h2", { id: "tradeoff" }, title),
    picker("Against", options, choice.tradeoff, (key) => choosing({ tradeoff: key })),
    points.length > 1
      ? [
          h("p", { class: "hint" }, `Operational carbon (${found.carbon.intensity_basis} only) and list price, central values. The line joins choices that none beats on both.${partial}`),
          figure(title, scatter(width, title, points, "USD", "kgCO2e"), ["Choice", "Cost", "Operational carbon", "Boundary"], rows),
        ]
      : h("p", {}, "A price and a grid intensity are needed to draw this."),
  );
}

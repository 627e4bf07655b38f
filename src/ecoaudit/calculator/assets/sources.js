// Every constant opens its source, year and licence.

/** Open the dialog with a title and entries `{ what, value, source, year, licence }`. */
function openSources(title, entries) {
  const dialog = document.getElementById("source");
  const facts = ({ what, value, source, year, licence }) =>
    h(
      "div",
      { class: "fact" },
      h("h3", {}, what),
      h(
        "dl",
        {},
        ...[["Value", value], ["Source", source], ["Year", year], ["Licence", licence]]
          .filter(([, text]) => text !== null && text !== undefined && text !== "")
          .map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))),
      ),
    );
  dialog.replaceChildren(
    h("div", { class: "dialog-head" }, h("h2", { id: "source-title" }, title), h("button", { type: "button", class: "plain", onclick: () => dialog.close() }, "Close")),
    ...entries.map(facts),
  );
  dialog.showModal();
}

const sourceButton = (title, entries, text = "source") =>
  h("button", { type: "button", class: "source", "aria-label": `${text}: ${title}`, onclick: () => openSources(title, entries()) }, text);

/** A quantity with the constants of the estimate that it stands on. */
function quantityEntries(found, name, quantity, boundary, whats) {
  const range = quantity.low === quantity.high ? "no range" : `90 %: ${showRange(quantity)}`;
  const own = {
    what: name,
    value: `${show(quantity)} (${range}), ${quantity.basis}${boundary ? `; ${boundary}` : ""}`,
    source: quantity.source,
  };
  return [own, ...found.provenance.filter(({ what }) => whats.includes(what))];
}

const cited = (index) => (index === null || index === undefined ? {} : citation(index));
const ranged = (value, low, high) => `${general(value)} (${general(low)} to ${general(high)})`;

/** The published runs and benchmarks behind the MFU that is expected. */
function mfuEvidence() {
  const entry = (what) => (index) => ({ what, ...citation(index) });
  return [...DATA.mfu.evidence.map(entry("published run")), ...DATA.mfu.benchmarks.map(entry("benchmark"))];
}

/** All tables that the page calculates with: `[title, entries]`. */
function constantTables() {
  const own = Object.entries(DATA.constants).filter(([name]) => !["labels", "total_labels", "paper"].includes(name));
  const write = (value) => {
    if (Array.isArray(value)) return value.map((x) => general(x)).join(", ");
    if (typeof value === "number") return general(value);
    return Object.entries(value).map(([key, x]) => `${key} ${typeof x === "number" ? general(x) : x}`).join(", ");
  };
  const fit = DATA.mfu;
  const evidence = { year: "2020 to 2026", licence: "facts", source: [...fit.evidence, ...fit.benchmarks].map((i) => citation(i).source).join("; ") };
  const mfu = [
    ["ln MFU on A100, 1.3B parameters and more", fit.level], ["spread of a new family's run (sd of ln MFU)", fit.sd],
    ["ln (H100 over A100)", fit.h100], ["slope of ln MFU below 1.3B parameters", fit.size_slope],
    ["ln (FP8 over BF16 throughput)", fit.fp8], ["its spread", fit.fp8_sd],
  ];
  const lines = DATA.lines.map((line) => ({
    what: line.id,
    value: `${general(line.static_w)} W + ${general(line.alpha)} × N × TDP × u^${general(line.u_exponent)}, ±${general(100 * line.transfer_error)} %`,
    ...cited(line.cite),
  }));
  const priors = DATA.priors.map((prior, i) => ({
    what: `host and slope, ${COOLINGS[i] ?? "unknown"} cooling`,
    value: `${ranged(...prior.host_w)} W + ${ranged(...prior.alpha)} × boards, correlation ${prior.correlation}`,
    ...cited(prior.cite),
  }));
  return [
    ["GPUs", DATA.gpus.map((gpu) => ({ what: gpu.name, value: `TDP ${gpu.tdp_w} W, dense peak ${write(gpu.peak)} TFLOP/s`, ...cited(gpu.cite) }))],
    ["Embodied carbon of GPUs", DATA.gpus.filter((gpu) => gpu.embodied !== null).map((gpu) => ({ what: gpu.name, value: `${gpu.embodied} kg CO₂e`, ...cited(gpu.embodied_cite) }))],
    ["Grid intensity", DATA.grids.filter((grid) => grid.basis !== "as given").map((grid) => ({ what: `${grid.zone}: ${grid.name}${grid.stand_in ? " (stands in)" : ""}`, value: `${ranged(grid.g, grid.low, grid.high)} g CO₂e/kWh, ${grid.basis}`, ...cited(grid.cite) }))],
    ["Cloud regions", DATA.regions.map((region) => ({ what: region.key, value: `${region.place}, grid zone ${region.zone}`, ...cited(region.cite) }))],
    ["Market-based claims", DATA.regions.filter((region) => region.market !== null).map((region) => [region, DATA.grids[region.market]]).map(([region, claim]) => ({ what: region.key, value: `${general(claim.g)} g CO₂e/kWh, ${claim.name}`, ...cited(claim.cite) }))],
    ["PUE", DATA.pues.map((pue) => ({ what: `PUE ${pue.value} (${pue.scope})`, value: `${ranged(pue.value, pue.low, pue.high)}, ${pue.basis}`, ...cited(pue.cite) }))],
    ["Prices", DATA.prices.map((price) => ({ what: `${price.gpu}, ${price.provider} ${price.instance}`, value: `$${ranged(price.usd, price.low, price.high)} a GPU-hour`, ...cited(price.cite) }))],
    ["Models", DATA.models.map((model) => ({ what: model.name, value: `${shortCount(model.params)} parameters, ${shortCount(model.active_params)} active, ${model.layers} layers, hidden ${model.hidden_size}, sequence ${model.sequence_length}`, ...cited(model.cite) }))],
    ["Nodes", DATA.nodes.map((node) => ({ what: node.name, value: `${node.gpu_count} × ${node.gpu}${node.cooling ? `, ${node.cooling}` : ""}`, ...cited(node.cite) }))],
    ["Node power", [...lines, ...priors]],
    ["MFU of published runs", mfu.map(([what, value]) => ({ what, value: general(value), ...evidence }))],
    ["Constants of the method", own.map(([, { value, what, source, year, licence }]) => ({ what, value: write(value), source, year, licence }))],
  ];
}

/** The section of all constants; a table is written when it is opened. */
function constantsSection() {
  const table = ([title, entries]) => {
    const details = h("details", { class: "constants" }, h("summary", {}, `${title} `, h("span", { class: "count" }, String(entries.length))));
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const head = h("tr", {}, ...["Constant", "Value", "Source", "Year", "Licence"].map((text) => h("th", { scope: "col" }, text)));
      const rows = entries.map((one) =>
        h("tr", {}, h("th", { scope: "row" }, one.what), ...["value", "source", "year", "licence"].map((key) => h("td", {}, one[key] ?? ""))),
      );
      details.append(
        h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": title }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows))),
      );
    });
    return details;
  };
  return h(
    "section",
    { "aria-labelledby": "constants" },
    h("h2", { id: "constants" }, "Every constant"),
    h("p", { class: "hint" }, "What this page calculates with, each with source, year and licence. A figure marked as judgement is one."),
    ...constantTables().map(table),
  );
}

// The estimate as a command, as Markdown for a pull request, as JSON.

const OPTIONS = { price_per_gpu_hour: "price", intensity_g_per_kwh: "intensity" };

/** The command that prints the same figures. */
function asCommand(request) {
  const quote = (text) => (/^[\w.,:/+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const parts = Object.entries(tidy(request)).map(([key, value]) => {
    return `--${(OPTIONS[key] ?? key).replaceAll("_", "-")} ${quote(String(value))}`;
  });
  return ["ecoaudit estimate", ...parts].join(" ");
}

const asJson = (found) => JSON.stringify(found, null, 2) + "\n";

const BOUNDARIES = { gpu: "GPU boards", node: "nodes, AC at the wall", facility: "facility" };

/** Rows of the result: `[key, name, quantity, boundary, where its constants are in the provenance]`. */
function resultRows(found) {
  const { energy, carbon, cost } = found;
  const headline = BOUNDARIES[energy.headline];
  const work = ["model", "tokens", "model FLOPs", "MFU", "dense peak", "GPU"];
  const power = [...work, "node", "node line", "host power of a node", "network power"];
  const kind = carbon.intensity_basis ? `, ${carbon.intensity_basis} grid intensity` : "";
  return [
    ["gpu_hours", "GPU-hours", found.gpu_hours, "all that are paid for", work],
    ["wall_hours", "Wall clock", found.wall_hours, "the whole job", work],
    ["cost", "Cost", cost.total, "allocated GPU-hours × price", [...work, "price of a GPU-hour"]],
    ["energy_gpu", "Energy, GPU boards", energy.gpu, BOUNDARIES.gpu, power],
    ["energy_node", "Energy, nodes", energy.node, BOUNDARIES.node, power],
    ["energy_network", "Energy, network", energy.network, "switches, before PUE", ["network power"]],
    ["energy_facility", "Energy, facility", energy.facility, "(nodes + network) × PUE", [...power, "PUE"]],
    ["energy_tdp", "Energy by TDP alone", energy.tdp, "GPU boards, for comparison", ["GPU", "MFU"]],
    ["operational", "Carbon, operational", carbon.operational, `${headline}, location-based${kind}`, ["grid intensity", "PUE", "node line"]],
    ["market", "Carbon, market-based", carbon.market_based, `${headline}, after the provider's certificates`, ["market-based intensity"]],
    ["embodied", "Carbon, embodied", carbon.embodied, "GPU boards only", ["embodied carbon of a GPU"]],
    ["total", "Carbon, total", carbon.total, carbon.total_label ?? "", ["grid intensity", "embodied carbon of a GPU"]],
    ["sci", "SCI score", carbon.sci, "per million tokens", ["grid intensity", "embodied carbon of a GPU"]],
  ];
}

/** Why a row of the result is null. */
function reasonOf(found, key) {
  const keys = {
    cost: "cost.total",
    energy_node: "energy.levels.L3",
    energy_facility: "energy.levels.L3",
    operational: "carbon.operational",
    total: "carbon.operational",
    sci: "carbon.operational",
    market: "carbon.market_based",
    embodied: "carbon.embodied",
  };
  if (key === "energy_network") return "network power is not given; it is not in the facility's energy";
  return found.unknown[keys[key]] ?? "not known";
}

/** What is estimated, in a line: model, tokens, GPUs, place. */
function describe(found) {
  const { training, hardware, carbon } = found;
  const model = training.model ?? `${shortCount(training.params)} parameters`;
  const method = training.method === "full" ? "" : `, ${{ lora: "LoRA", qlora: "QLoRA" }[training.method]}`;
  return `${model}${method}, ${shortCount(training.tokens)} tokens in ${training.precision.toUpperCase()} on ${hardware.gpu_count} × ${hardware.gpu}; ${carbon.region ?? carbon.zone ?? "no place"}`;
}

function asMarkdown(found, request) {
  const cell = (text) => text.replaceAll("|", "\\|");
  const row = ([key, name, quantity, boundary]) => {
    if (!quantity) return `| ${name} | not known | | | ${cell(reasonOf(found, key))} |`;
    const told = quantity.source.startsWith(boundary) ? quantity.source : `${boundary}; ${quantity.source}`;
    return `| ${name} | ${show(quantity)} | ${showRange(quantity)} | ${quantity.basis} | ${cell(told)} |`;
  };
  const sources = found.provenance.map(({ what, value, source, year, licence }) => {
    return `- ${what}: ${value} (${[source, year, licence].filter(Boolean).join(", ")})`;
  });
  return [
    `### Estimate: ${describe(found)}`,
    "",
    "| | value | 90 % range | basis | boundary and source |",
    "| --- | ---: | ---: | --- | --- |",
    ...resultRows(found).map(row),
    "",
    `Most of the doubt about ${found.drivers_of === "carbon.operational" ? "operational carbon" : "energy"}: ` +
      `${found.drivers.slice(0, 3).map(({ name, share }) => `${name} ${fixed(100 * share, 0)} %`).join(", ")}.`,
    "",
    ...found.warnings.map((text) => `> ${text}  `),
    "",
    "<details><summary>Sources</summary>",
    "",
    ...sources,
    "",
    "</details>",
    "",
    "```console",
    `$ ${asCommand(request)}`,
    "```",
    "",
  ].join("\n");
}

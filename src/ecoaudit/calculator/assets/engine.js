// The estimate, step by step as ecoaudit.estimate makes it: same request, same figures, same notes.

const SECONDS_AN_HOUR = 3600;
const DEFAULTS = { method: "full", precision: "bf16", recompute: "none", intensity_basis: "as given" };
const GIVEN = { source: "given by the user", year: null, licence: null };
const COOLINGS = [null, "air", "liquid", "immersion"];
const constant = (name) => DATA.constants[name].value;
const citation = (index) => {
  const [source, year, licence] = DATA.citations[index];
  return { source, year, licence };
};
const indexed = (records, key) => new Map(records.map((record) => [record[key], record]));
const GPUS = indexed(DATA.gpus, "name");
const MODELS = indexed(DATA.models, "id");
const NODES = indexed(DATA.nodes, "name");
const REGIONS = indexed(DATA.regions.map((region, index) => ({ ...region, index })), "key");

function known(what, records, name) {
  const found = records.get(name);
  if (!found) throw new Error(`unknown ${what} "${name}"`);
  return found;
}

/** Warnings, reasons of unknown figures, and where figures come from. */
class Notes {
  warnings = [];
  unknown = {};
  provenance = [];

  warn(text) {
    if (!this.warnings.includes(text)) this.warnings.push(text);
  }

  missing(key, reason) {
    this.unknown[key] ??= reason;
  }

  cite(what, value, { source, year, licence }) {
    const entry = { what, value, source, year, licence };
    const same = (other) => Object.keys(entry).every((key) => entry[key] === other[key]);
    if (!this.provenance.some(same)) this.provenance.push(entry);
  }

  state(what, value, source) {
    this.cite(what, value, { source, year: null, licence: null });
  }
}

// The place -----------------------------------------------------------------------------------------------------------

function gridOf(request, region) {
  const value = request.intensity_g_per_kwh;
  if (value !== undefined) {
    const zone = request.zone ?? region?.zone ?? "given";
    const doubt = constant("given_intensity");
    const grid = { zone, name: "given by the user", g: value, low: value * (1 - doubt), high: value * (1 + doubt) };
    return { ...grid, basis: request.intensity_basis, stand_in: false, citation: GIVEN };
  }
  const index = request.zone !== undefined ? DATA.zones[request.zone] : region?.grid;
  if (request.zone !== undefined && index === undefined) throw new Error(`unknown grid zone "${request.zone}"`);
  return index === undefined ? null : { ...DATA.grids[index], citation: citation(DATA.grids[index].cite) };
}

function pueOf(request, region) {
  const value = request.pue;
  if (value !== undefined) {
    const doubt = value > 1 ? constant("given_pue") : 0;
    const range = { value, low: Math.max(1, value * (1 - doubt)), high: value * (1 + doubt) };
    return { ...range, scope: "user", basis: "assumed", citation: GIVEN };
  }
  const pue = DATA.pues[region ? region.pue : DATA.pue];
  return { ...pue, citation: citation(pue.cite) };
}

function priceOf(request, gpu, region) {
  const usd = request.price_per_gpu_hour;
  if (usd !== undefined) {
    return { provider: "given", instance: "", gpu: gpu.name, usd, low: usd, high: usd, citation: GIVEN };
  }
  const own = region ? gpu.prices[region.index] : undefined;
  const index = own === undefined ? gpu.price : own;
  return index === null ? null : { ...DATA.prices[index], citation: citation(DATA.prices[index].cite) };
}

function planSite(request, gpu, notes) {
  const region = request.region === undefined ? null : known("region", REGIONS, request.region);
  const grid = gridOf(request, region);
  if (!grid) notes.warn("carbon is not known: give --region, --zone or --intensity");
  if (region && request.zone !== undefined && request.intensity_g_per_kwh === undefined) {
    notes.warn(`the grid is that of zone ${request.zone}; PUE and price are those of ${region.key}`);
  }
  const pue = pueOf(request, region);
  if (pue.scope === "survey") {
    const where = region ? `${region.provider} publishes none` : "no region is given";
    const range = `${general(pue.value)} (${general(pue.low)} to ${general(pue.high)})`;
    notes.warn(`PUE is a survey's mean, ${range}: ${where}; give --pue`);
  }
  const price = priceOf(request, gpu, region);
  if (price && region && price.provider !== region.provider && price.citation !== GIVEN) {
    notes.warn(`no price of ${gpu.name} at ${region.provider} is known: the ${price.provider} is used`);
  }
  return { region, grid, pue, price };
}

// The work ------------------------------------------------------------------------------------------------------------

const flopsPerToken = ({ params, layers, hidden, sequence, lora }) =>
  (lora ? 4 : 6) * params + 6 * layers * hidden * sequence;

function tokensOf(request, preset, sequence, notes) {
  if (request.tokens !== undefined) return request.tokens;
  if (request.samples !== undefined) {
    notes.state("tokens", general(request.samples * sequence, 4), `samples x ${sequence} tokens`);
    return request.samples * sequence;
  }
  if (preset?.tokens) {
    notes.cite("tokens", `${general(preset.tokens, 4)}, as ${preset.name} was trained`, citation(preset.cite));
    return preset.tokens;
  }
  throw new Error("the amount of training is not known: give tokens");
}

function shapeOf(request, preset, active, sequence) {
  const lora = request.method !== "full";
  const shape = { params: active, sequence, lora };
  if (request.layers && request.hidden_size) {
    return [{ ...shape, layers: request.layers, hidden: request.hidden_size }, false];
  }
  if (preset && request.params === undefined && request.active_params === undefined) {
    return [{ ...shape, layers: preset.layers, hidden: preset.hidden_size }, false];
  }
  const aspect = constant("aspect_ratio");
  const layers = (active / (12 * aspect ** 2)) ** (1 / 3);
  return [{ ...shape, layers: 1, hidden: Math.round(aspect * layers ** 2) }, true];
}

/** Hardware FLOPs over model FLOPs: what recompute repeats of the forward pass. */
function hardwareRatio(linear, attention, lora, recompute) {
  let repeated = 0;
  if (recompute !== "none") repeated += attention / 3;
  if (recompute === "full") repeated += linear / (lora ? 2 : 3);
  return 1 + repeated / (linear + attention);
}

function planWork(request, notes) {
  const preset = request.model === undefined ? null : known("model", MODELS, request.model);
  if (preset) {
    const more = preset.note ? ` (${preset.note})` : "";
    const text = `${preset.name}: ${general(preset.active_params / 1e9, 4)}B active parameters${more}`;
    notes.cite("model", text, citation(preset.cite));
  }
  const active = request.active_params ?? request.params ?? preset?.active_params;
  if (active === undefined) throw new Error("the model's size is not known: give parameters or a model");
  if (!preset && request.active_params === undefined && request.method === "full") {
    notes.state("active parameters", general(active, 4), "all parameters; an untied input embedding would not count");
  }
  let sequence = request.sequence_length ?? preset?.sequence_length;
  if (sequence === undefined) {
    sequence = constant("default_sequence");
    notes.warn(`the sequence length is not given: ${sequence} tokens are assumed; give --sequence-length`);
  }
  const tokens = tokensOf(request, preset, sequence, notes);
  const [shape, guessed] = shapeOf(request, preset, active, sequence);
  const linear = flopsPerToken({ ...shape, layers: 0, hidden: 0 });
  let attention = exact(flopsPerToken(shape) - linear);
  let counted = `${shape.lora ? "4N" : "6N"} + 6Lhs per token, causal attention`;
  if (guessed) {
    attention = attention.times(factor("attention FLOPs from the parameter count", constant("attention_guess"), 0));
    counted += ", L and h guessed from N (h = 128 L)";
  }
  if (shape.lora) {
    notes.warn("no published BF16 run of LoRA or QLoRA is known: MFU is that of full training, on 4N FLOPs a token");
  }
  const perToken = attention.plus(linear);
  const source = counted + " (arXiv:2001.08361, 2104.04473)";
  notes.cite("model FLOPs", `${general(perToken.value, 4)} per token`, { source, year: "2020, 2021", licence: "facts" });
  return {
    preset,
    params: request.params ?? preset?.params ?? active,
    active,
    sequence,
    tokens,
    flops: perToken.times(tokens),
    attentionShare: attention.value / perToken.value,
    hardwareRatio: hardwareRatio(linear, attention.value, shape.lora, request.recompute),
    source: counted,
  };
}

// The hardware --------------------------------------------------------------------------------------------------------

const boardOfEight = (gpu) => /^(SXM|OAM)/.test(gpu.form);

function planSystem(request, gpu, notes) {
  const node = request.node === undefined ? null : known("node type", NODES, request.node);
  if (node && node.gpu !== gpu.name) throw new Error(`${node.name} has ${node.gpu}, not ${gpu.name}`);
  if (node) notes.cite("node", `${node.name}: ${node.gpu_count} x ${node.gpu}`, citation(node.cite));
  const usual = gpu.usual_node;
  let count = request.gpus;
  if (count === undefined) {
    count = node ? node.gpu_count : usual;
    notes.warn(`the number of GPUs is not given: ${count} are assumed; give --gpus`);
  }
  let perNode = request.gpus_per_node ?? node?.gpu_count;
  if (perNode === undefined) {
    perNode = boardOfEight(gpu) ? usual : Math.min(usual, count);
    notes.state("GPUs a node", String(perNode), boardOfEight(gpu) ? "assumed: boards of eight" : "assumed");
  }
  const nodes = Math.ceil(count / perNode);
  const cooling = request.cooling ?? node?.cooling ?? null;
  return { gpu, node, count, perNode, nodes, cooling, share: Math.min(1, count / nodes / perNode) };
}

function checkMemory(request, work, system, notes) {
  const need = work.params * constant("bytes_a_parameter")[request.method];
  const have = system.count * (system.gpu.memory_gib ?? Infinity) * 2 ** 30;
  if (need > have) {
    const gib = (bytes) => grouped(fixed(bytes / 2 ** 30, 0));
    notes.warn(
      `weights, gradients and Adam's state take ${gib(need)} GiB, the ${system.count} GPUs hold ` +
        `${gib(have)}: the run needs more GPUs or offloading, and will not reach this speed`,
    );
  }
}

function peakOf(gpu, precision) {
  const peak = gpu.peak[precision];
  if (peak === undefined) {
    throw new Error(`${gpu.name} has no dense peak in ${precision}; known: ${Object.keys(gpu.peak).join(", ") || "none"}`);
  }
  return peak;
}

/** The MFU to expect from published runs. */
function expectMfu(gpu, precision, active) {
  const fit = DATA.mfu;
  const extra = constant("unseen_gpu_sd") ** 2;
  const [lowest, highest] = constant("mfu_limits");
  const extrapolated = [];
  let variance = fit.sd ** 2;
  let shift = fit.size_slope * Math.min(0, Math.log(active / constant("small_model")));
  shift += fit.like_h100.includes(gpu.architecture) ? fit.h100 : 0;
  if (!fit.seen.includes(gpu.name)) {
    extrapolated.push(`no published run on ${gpu.name}: MFU is carried over from its nearest generation`);
    variance += extra;
  }
  if (precision === "fp8") {
    shift += fit.fp8 + Math.log(peakOf(gpu, "bf16") / peakOf(gpu, "fp8"));
    variance += fit.fp8_sd ** 2;
    extrapolated.push("no published dense run in FP8: MFU is BF16's times the speed-up of a benchmark");
  } else if (precision === "fp4") {
    throw new Error("no training run in FP4 is published: give MFU");
  } else if (precision !== "bf16" && precision !== "fp16") {
    extrapolated.push(`no published run in ${precision}: MFU is that of BF16`);
    variance += extra;
  }
  const centre = fit.level + shift;
  const spread = Z90 * Math.sqrt(variance);
  const high = Math.min(highest, Math.exp(centre + spread));
  const value = Math.min(Math.max(Math.exp(centre), lowest), high);
  const low = Math.min(Math.exp(centre - spread), value);
  const source = `${fit.runs} published runs of ${fit.families} model families, all GPU-hours counted`;
  return { value, low, high, source, extrapolated };
}

function planSpeed(request, gpu, work, notes) {
  let given = request.mfu;
  if (request.hfu !== undefined) {
    given = request.hfu / work.hardwareRatio;
    const why = `HFU ${general(request.hfu)} without what recompute (${request.recompute}) repeats`;
    notes.state("MFU", general(given, 4), why);
  }
  const goodput = request.goodput ?? 1;
  if (given !== undefined) {
    if (request.goodput === undefined) {
      notes.warn("goodput is not given: restarts, evaluation and checkpoints are not in the GPU-hours");
    }
    return { mfu: exact(given), goodput, basis: "assumed", source: "given by the user" };
  }
  const expected = expectMfu(gpu, request.precision, work.active);
  expected.extrapolated.forEach((text) => notes.warn(text));
  if (request.goodput !== undefined) {
    notes.warn("MFU is that of published runs over all their GPU-hours: lost time is in it, and goodput lowers it again");
  }
  if (work.preset?.moe) notes.warn("MFU is that of dense models: a mixture of experts may run slower");
  const { value, low, high, source } = expected;
  notes.state("MFU", `${fixed(value, 3)} (${fixed(low, 3)} to ${fixed(high, 3)})`, source);
  return { mfu: factor("MFU", [value, low, high], low / 2, 1), goodput, basis: "modelled", source };
}

// The power, in W for the whole run -----------------------------------------------------------------------------------

const priorOf = (system) =>
  system.gpu.metered_like && system.perNode === 8 ? DATA.priors[COOLINGS.indexOf(system.cooling)] : null;

/** Slope of supplies and fans, and host power of a node, drawn jointly. */
const priorPair = (prior) => correlatedPair("node line prior", prior.alpha, prior.host_w, prior.correlation, 1);

/** The utilisation-driven line of metered nodes; null, with the reason noted, for other nodes. */
function nodeLine(system, notes) {
  const { gpu, perNode, nodes } = system;
  const [index, metered] = (system.node ?? gpu).lines[COOLINGS.indexOf(system.cooling)];
  const line = DATA.lines[index];
  if (line.gpus_per_node !== perNode || !boardOfEight(gpu)) {
    notes.missing("energy.levels.L3", `no metered node is like this one (${perNode} × ${gpu.name}); give --host-power-w`);
    return null;
  }
  const range = constant(nodes === 1 ? "u_one_node" : "u_several");
  const [value, low, high] = range.map((x) => (Number.isInteger(x) ? x.toFixed(1) : String(x)));
  notes.warn(`without recorded GPU power the nodes' utilisation is assumed: ${value} (${low} to ${high}) of a saturated node`);
  const u = factor("unknown utilisation", range, 0, 1.1);
  const same = line.gpu === gpu.name;
  const static_w = line.static_w * (same ? 1 : gpu.tdp_w / line.tdp_w);
  if (!same) {
    notes.warn(`no ${gpu.name} node was metered: the line of ${line.gpu} is used, scaled by TDP, with a wide interval`);
  } else if (!metered) {
    notes.warn(`this node was never metered: the line of ${line.systems} metered systems is used (${line.id})`);
  }
  const width = same ? line.transfer_error : Math.max(constant("other_gpu"), line.transfer_error);
  const transfer = relative("transfer of the node line to this system", width);
  const load = line.u_exponent === 1 ? u : u.power(line.u_exponent);
  const node_w = load.times(line.alpha * perNode * gpu.tdp_w).plus(static_w).times(transfer);
  const formula =
    `${fixed(static_w, 0)} W + ${fixed(line.alpha, 3)} × ${perNode} × ${general(gpu.tdp_w)} W ` +
    `× u^${general(line.u_exponent)}`;
  notes.cite("node line", formula, citation(line.cite));
  return { watts: node_w.times(nodes * system.share), source: `node line ${line.id}, u = ${fixed(u.value, 2)}` };
}

function boardPower(line, system) {
  const { gpu, count, nodes } = system;
  const most = count * gpu.tdp_w;
  if (!line) {
    const load = factor("board load, not known", constant(nodes === 1 ? "load_one_node" : "load_several"), 0.05);
    return [load.times(most), "GPUs x TDP x an assumed load"];
  }
  const prior = priorOf(system);
  if (!prior) {
    const part = factor("boards' part of node power", constant("boards_of_node"), 0.2, 0.95);
    return [line.watts.times(part), "the boards' assumed part of the node line"];
  }
  const [alpha, host] = priorPair(prior);
  const behind = line.watts.minus(host.times(nodes * system.share)).over(alpha);
  return [behind.clipped(0.05 * most, most), "node line less host power, over the slope of supplies and fans (a prior)"];
}

function statedHost(host_w, boards_w, system) {
  const prior = priorOf(system);
  const alpha = prior
    ? priorPair(prior)[0]
    : exact(1).over(factor("power supply efficiency", constant("supply_efficiency"), 0.5, 1));
  const hosts = system.nodes * system.share;
  const host = relative("stated host power", constant("stated_host")).times(host_w).times(hosts);
  return { watts: host.plus(alpha.times(boards_w)), source: "stated host power + boards over supply efficiency" };
}

function planPower(request, system, notes) {
  const line = nodeLine(system, notes);
  const [boards, boardsSource] = boardPower(line, system);
  let node = line;
  if (request.host_power_w !== undefined) {
    node = statedHost(request.host_power_w, boards, system);
    notes.state("host power of a node", `${general(request.host_power_w)} W`, "given by the user");
    delete notes.unknown["energy.levels.L3"];
  }
  let network = null;
  if (request.network_power_w !== undefined) {
    const text = `${general(request.network_power_w)} W`;
    notes.state("network power", text, "given by the user");
    network = { watts: exact(request.network_power_w), source: `${text}, given by the user` };
  } else if (system.nodes > 1) {
    notes.warn("network energy is not included: give --network-power-w");
  }
  return { boards, boardsSource, node, network };
}

const pueFactor = (pue) => factor("PUE", [pue.value, pue.low, pue.high], 1);

/** The weakest basis, where an assumption beside data makes a model. */
function jointBasis(...bases) {
  const order = ["measured", "calibrated", "modelled", "assumed"];
  const weakest = bases.reduce((worst, basis) => (order.indexOf(basis) > order.indexOf(worst) ? basis : worst));
  return weakest === "assumed" && bases.some((basis) => basis !== "assumed") ? "modelled" : weakest;
}

/** Power of the run at each boundary with level, basis and source; null where it is not known. */
function powerFigures(power, pue) {
  const gpu = { watts: power.boards, level: "L2", boundary: "gpu", basis: "modelled", source: power.boardsSource };
  if (!power.node) return { gpu, node: null, facility: null };
  const node = { ...power.node, level: "L3", boundary: "node", basis: "modelled" };
  const network = power.network?.watts.value ? power.network : null;
  const inside = network ? node.watts.plus(network.watts) : node.watts;
  const facility = {
    watts: inside.times(pueFactor(pue)),
    level: "L3",
    boundary: "facility",
    // A PUE is a figure over a year, or stated: nobody metered the building during this run.
    basis: jointBasis("modelled", "assumed"),
    source: `(${node.source}${network ? " + network" : ""}) × PUE ${general(pue.value)} (${pue.citation.source})`,
  };
  return { gpu, node, facility };
}

// Carbon and cost -----------------------------------------------------------------------------------------------------

const gridFactor = (grid) => factor(`grid intensity ${grid.zone} ${grid.basis}`, [grid.g, grid.low, grid.high], 0);

function gridIntensity(grid, notes) {
  if (!grid) {
    for (const figure of ["operational", "total", "intensity"]) {
      notes.missing(`carbon.${figure}`, "no grid intensity: give --region, --zone or --intensity");
    }
    return null;
  }
  notes.cite("grid intensity", `${general(grid.g)} g/kWh, ${grid.basis}, ${grid.name}`, grid.citation);
  if (grid.stand_in) {
    notes.warn(`the intensity of ${grid.name} stands in for the grid zone ${grid.zone}, with a wider interval`);
  }
  const basis = grid.basis === "as given" ? "assumed" : "modelled";
  return { g: gridFactor(grid), basis, kind: grid.basis, source: grid.citation.source };
}

/** Boards' share of their making in kgCO2e for one GPU-hour. */
function embodiedPerHour(gpu, notes) {
  if (gpu.embodied === null) {
    notes.missing("carbon.embodied", `no embodied carbon is published for ${gpu.name}`);
    return null;
  }
  const years = factor("years of service", constant("life_years"), 1);
  const allocation = factor("allocation of boards", constant("allocation"), 0.2, 1);
  const kg = relative(`embodied carbon of ${gpu.name}`, constant("embodied_error")).times(gpu.embodied);
  const cite = citation(gpu.embodied_cite);
  notes.cite("embodied carbon of a GPU", `${general(gpu.embodied)} kg CO₂e, ${gpu.name}`, cite);
  return {
    kg: kg.over(years.times(constant("hours_a_year")).times(allocation)),
    source: `GPU boards only, host and network not included; ${cite.source}`,
  };
}

function planCarbon(headline, site, gpu, gpuHours, work, notes) {
  const kwh = headline.joules.over(constant("j_per_kwh"));
  const grid = gridIntensity(site.grid, notes);
  const making = embodiedPerHour(gpu, notes);
  const embodied = making && making.kg.times(gpuHours);
  const operational = grid && kwh.times(grid.g).over(1000);
  const { region } = site;
  let market = null;
  let contract = null;
  if (region && region.market !== null) {
    contract = DATA.grids[region.market];
    market = kwh.times(gridFactor(contract)).over(1000);
    notes.cite("market-based intensity", `${general(contract.g)} g/kWh, ${contract.name}`, citation(contract.cite));
  } else {
    notes.missing("carbon.market_based", "no contractual (market-based) factor is known for this place");
  }
  const total = operational && (embodied ? operational.plus(embodied) : operational);
  const basis = grid ? jointBasis(headline.basis, grid.basis) : "modelled";
  const lower = headline.boundary === "gpu" ? `; ${headline.level} at the GPU boundary` : "";
  const label = constant("total_labels")[embodied ? 1 : 0];
  const sciSource = "SCI = ((E × I) + M) / R, ISO/IEC 21031:2024";
  const carbon = {
    intensity: grid && grid.g.quantity("gCO2e/kWh", grid.basis, grid.source),
    intensity_basis: grid && grid.kind,
    zone: site.grid?.zone ?? null,
    region: region?.key ?? null,
    operational: operational && operational.quantity("kgCO2e", basis, `headline energy × grid intensity${lower}`),
    market_based: market && market.quantity("kgCO2e", "modelled", `headline energy × ${contract.name}`),
    embodied: embodied && embodied.quantity("kgCO2e", "modelled", making.source),
    total: total && total.quantity("kgCO2e", basis, label),
    total_label: total && label,
    sci: total && total.times(1000).over(work.tokens / 1e6).quantity("gCO2e/million tokens", "modelled", sciSource),
  };
  return { carbon, operational, total };
}

const HOURS_SOURCE = "model FLOPs / (MFU x dense peak x goodput)";

function planCost(price, gpuHours, notes) {
  const gpu_hours = gpuHours.quantity("GPU-h", "modelled", HOURS_SOURCE);
  if (!price) {
    notes.missing("cost.total", "no price is known for these GPUs; give --price");
    return { cost: { total: null, per_gpu_hour: null, gpu_hours, currency: "USD" }, total: null };
  }
  const offer = `${price.provider} ${price.instance}`.trim();
  const value = `$${general(price.usd)} (${offer})`;
  notes.cite("price of a GPU-hour", value, price.citation);
  const usd = factor(`price of ${price.gpu} at ${price.provider}`, [price.usd, price.low, price.high], 0);
  const source = `${offer}: ${price.citation.source}`;
  const total = usd.times(gpuHours);
  const cost = {
    total: total.quantity("USD", "modelled", `GPU-hours × price, ${source}`),
    per_gpu_hour: usd.quantity("USD", "assumed", source),
    gpu_hours,
    currency: "USD",
  };
  return { cost, total };
}

// What makes it wide --------------------------------------------------------------------------------------------------

const DRIVER_GROUPS = DATA.driver_groups;

function driversOf(result) {
  const groups = new Map();
  for (const name of [...result.factors].sort()) {
    const label = (DRIVER_GROUPS.find(([start]) => name.startsWith(start)) ?? [null, DATA.driver_rest])[1];
    groups.set(label, [...(groups.get(label) ?? []), name]);
  }
  // The two halves of a correlated pair are one source of doubt.
  const plain = (label) => [...new Set(groups.get(label).map((name) => name.replace(/: (first|second)$/, "")))];
  return shares(result, [...groups]).map(([name, share]) => ({ name, share, source: plain(name).join(", ") }));
}

// All of it -----------------------------------------------------------------------------------------------------------

/** The request without empty fields, with the defaults that the engine states. */
function complete(asked) {
  const given = Object.entries(asked).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return { ...DEFAULTS, ...Object.fromEntries(given) };
}

/** The estimate as `ecoaudit estimate --json` prints it, and the draws behind it for comparisons. */
function estimateWithDraws(asked) {
  const request = complete(asked);
  const notes = new Notes();
  const gpu = known("GPU", GPUS, request.gpu);
  notes.cite("GPU", `${gpu.name}: TDP ${general(gpu.tdp_w)} W`, citation(gpu.cite));
  const site = planSite(request, gpu, notes);
  const work = planWork(request, notes);
  const system = planSystem(request, gpu, notes);
  checkMemory(request, work, system, notes);
  const peak = peakOf(gpu, request.precision);
  notes.cite("dense peak", `${general(peak)} TFLOP/s in ${request.precision}`, citation(gpu.cite));
  const speed = planSpeed(request, gpu, work, notes);
  const gpuHours = work.flops.over(speed.mfu.times(peak * 1e12 * speed.goodput * SECONDS_AN_HOUR));
  const wall = gpuHours.times(SECONDS_AN_HOUR / system.count);
  const power = planPower(request, system, notes);
  const figures = powerFigures(power, site.pue);
  const best = figures.facility ?? figures.gpu;
  const headline = { ...best, joules: best.watts.times(wall) };
  notes.cite("PUE", `${general(site.pue.value)} (${site.pue.scope})`, site.pue.citation);
  const { carbon, operational, total } = planCarbon(headline, site, gpu, gpuHours, work, notes);
  const bill = planCost(site.price, gpuHours, notes);

  const jPerKwh = constant("j_per_kwh");
  const kwh = (figure) =>
    figure && figure.watts.times(wall).over(jPerKwh).quantity("kWh", figure.basis, figure.source);
  const network = power.network && { ...power.network, basis: "assumed" };
  const { goodput } = speed;
  let goodputSource = "not given";
  if (request.goodput !== undefined) goodputSource = "given by the user";
  else if (request.mfu === undefined && request.hfu === undefined) goodputSource = "inside the MFU of published runs";
  const repeats = `model FLOPs and what recompute (${request.recompute}) repeats`;
  const estimate = {
    schema: "ecoaudit.estimate/1",
    tool: DATA.tool,
    request,
    hardware: {
      gpu: gpu.name,
      gpu_count: system.count,
      nodes: system.nodes,
      gpus_per_node: system.perNode,
      cooling: system.cooling,
      tdp_w: gpu.tdp_w,
      peak_tflops: peak,
    },
    training: {
      model: work.preset?.name ?? null,
      method: request.method,
      precision: request.precision,
      params: work.params,
      active_params: work.active,
      sequence_length: work.sequence,
      tokens: work.tokens,
      flops: work.flops.quantity("FLOP", "modelled", work.source),
      hardware_flops: work.flops.times(work.hardwareRatio).quantity("FLOP", "modelled", repeats),
      attention_share: work.attentionShare,
    },
    mfu: speed.mfu.quantity("1", speed.basis, speed.source),
    hfu: speed.mfu
      .times(work.hardwareRatio)
      .quantity("1", speed.basis, `MFU x hardware over model FLOPs; ${speed.source}`),
    goodput: { value: goodput, low: goodput, high: goodput, unit: "1", basis: speed.basis, source: goodputSource },
    gpu_hours: gpuHours.quantity("GPU-h", "modelled", HOURS_SOURCE),
    wall_hours: wall.over(SECONDS_AN_HOUR).quantity("h", "modelled", "GPU-hours / GPUs"),
    energy: {
      gpu: kwh(figures.gpu),
      node: kwh(figures.node),
      network: kwh(network),
      facility: kwh(figures.facility),
      tdp: wall.times((gpu.tdp_w * system.count) / jPerKwh).quantity("kWh", "assumed", "GPUs x TDP x time"),
      pue: pueFactor(site.pue).quantity("1", "assumed", site.pue.citation.source),
      headline: headline.boundary,
      headline_label: constant("labels")[headline.level],
    },
    carbon,
    cost: bill.cost,
    drivers: driversOf(operational ?? headline.joules),
    drivers_of: operational ? "carbon.operational" : `energy.${headline.boundary}`,
    provenance: notes.provenance,
    warnings: notes.warnings,
    unknown: notes.unknown,
  };
  const draws = {
    gpu_hours: gpuHours,
    wall_hours: wall.over(SECONDS_AN_HOUR),
    energy: headline.joules.over(jPerKwh),
    carbon: total,
    operational,
    cost: bill.total,
  };
  return { estimate, draws };
}

const estimate = (asked) => estimateWithDraws(asked).estimate;

/** Central values alone, hundreds of them in a moment. */
const centralEstimate = (asked) => centrally(() => estimate(asked));

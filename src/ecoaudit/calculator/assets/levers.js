// What would halve it: every lever turned in the engine itself, one at a time.

const METRICS = {
  carbon: { name: "carbon", unit: "kgCO2e", of: (one) => one.carbon.total },
  cost: { name: "cost", unit: "USD", of: (one) => one.cost.total },
  energy: { name: "energy", unit: "kWh", of: (one) => one.energy[one.energy.headline] },
  gpu_hours: { name: "GPU-hours", unit: "GPU-h", of: (one) => one.gpu_hours },
};

/** What two estimates must share before a difference between them means anything. */
function comparable(metric, a, b) {
  if (metric === "energy" || metric === "carbon") {
    if (a.energy.headline !== b.energy.headline) return "energy stands at different boundaries";
  }
  if (metric === "carbon") {
    if (a.carbon.intensity_basis !== b.carbon.intensity_basis) return "grid intensities are on different bases";
    if (a.carbon.total_label !== b.carbon.total_label) return "one total holds embodied carbon, the other does not";
  }
  return null;
}

/** The central figure of a metric, null where it is not known or the request has no answer. */
function central(metric, request) {
  try {
    const found = centralEstimate(request);
    return { found, value: METRICS[metric].of(found)?.value ?? null };
  } catch {
    return { found: null, value: null };
  }
}

/** Where a falling figure reaches `target` between two settings, by bisection on the engine; null when it does not. */
function reach(metric, target, request, name, from, to) {
  const at = (x) => central(metric, { ...request, [name]: x }).value;
  if (!(at(to) <= target)) return null;
  let [high, low] = [from, to];
  for (let i = 0; i < 60; i++) {
    const middle = Math.sqrt(high * low);
    if (at(middle) > target) high = middle;
    else low = middle;
  }
  return low;
}

/** The best of many alternatives for one field, compared only like with like. */
function bestOf(metric, base, request, changes) {
  let best = null;
  for (const change of changes) {
    const { found, value } = central(metric, { ...request, ...change });
    if (value === null || comparable(metric, base.found, found)) continue;
    if (!best || value < best.value) best = { change, value };
  }
  return best;
}

/**
 * Levers with what each does to the metric: `{ lever, what, value, ratio, change, note }`, the strongest first.
 * `change` holds the fields to set; a lever that would not lower the figure is left out.
 */
function levers(asked, metric) {
  const request = complete(asked);
  const base = central(metric, request);
  if (base.value === null || base.value === 0) return [];
  const target = base.value / 2;
  const found = [];
  const add = (lever, what, change, note = "") => {
    const { value } = central(metric, { ...request, ...change });
    if (value !== null && value < base.value * 0.995) found.push({ lever, what, value, ratio: value / base.value, change, note });
  };

  const { training, mfu, hardware } = base.found;
  if (request.hfu === undefined) {
    const needed = reach(metric, target, request, "mfu", mfu.value, 0.95);
    let range = null;
    try {
      range = expectMfu(GPUS.get(request.gpu), request.precision, training.active_params);
    } catch {
      range = null; // nothing is published for this format
    }
    if (range && range.high > mfu.value) {
      const most = `the upper end of published runs is ${fixed(100 * range.high, 0)} %`;
      if (needed !== null && needed <= range.high) add("Software", `MFU ${fixed(100 * needed, 0)} %`, { mfu: needed }, most);
      else add("Software", `MFU ${fixed(100 * range.high, 0)} %`, { mfu: range.high }, `${most}; halving needs ${needed === null ? "more than 95" : fixed(100 * needed, 0)} %`);
    }
  }
  const tokens = reach(metric, target, request, "tokens", training.tokens, training.tokens / 100);
  if (tokens !== null) add("Tokens", `${shortCount(tokens)} tokens`, { tokens, samples: undefined }, "what the model then learns is another question");

  const provider = REGIONS.get(request.region)?.provider;
  const fixedPlace = request.intensity_g_per_kwh !== undefined || request.zone !== undefined;
  if (!fixedPlace) {
    const place = (own) => {
      const choices = DATA.regions.filter((region) => !own || region.provider === provider);
      const best = bestOf(metric, base, request, choices.map((region) => ({ region: region.key })));
      if (!best) return;
      const region = REGIONS.get(best.change.region);
      const why = metric === "carbon" ? `${general(DATA.grids[region.grid].g)} g/kWh, ${DATA.grids[region.grid].basis}` : "";
      add(own ? "Region, same provider" : "Region, any provider", `${region.key} (${region.place})`, best.change, why);
    };
    if (provider) place(true);
    place(false);
  }
  const changes = DATA.gpus
    .filter((gpu) => gpu.name !== request.gpu && DATA.mfu.like_h100.concat("Ampere").includes(gpu.architecture))
    .map((gpu) => ({ gpu: gpu.name, node: undefined }));
  const gpu = bestOf(metric, base, request, changes);
  if (gpu) add("GPU", `${hardware.gpu_count} × ${gpu.change.gpu}`, gpu.change, "the same number; whether it can be had is another question");
  if (GPUS.get(request.gpu).peak.fp8 && request.mfu === undefined && request.hfu === undefined && request.precision !== "fp8") {
    add("Number format", "FP8", { precision: "fp8" }, "by the speed-up of a benchmark");
  }
  if (request.hfu !== undefined && request.recompute !== "none") add("Recompute", "none", { recompute: "none" }, "needs more memory");
  if (request.method === "full") add("Method", "LoRA on the frozen base", { method: "lora" }, "for fine-tuning, not for pre-training");
  if (request.pue === undefined && base.found.energy.facility && metric !== "gpu_hours" && metric !== "cost") {
    const best = Math.min(...DATA.pues.filter((pue) => pue.scope === "site").map((pue) => pue.value));
    add("Site", `PUE ${general(best)}`, { pue: best }, "the lowest that a site publishes");
  }
  return found.sort((a, b) => a.value - b.value);
}

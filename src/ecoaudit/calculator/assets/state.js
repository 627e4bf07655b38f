// The page's whole state in the address: one group of fields per scenario, `#v1/<selected>/<fields>/<fields>…`.

const NUMBERS = [
  ...["params", "active_params", "layers", "hidden_size", "sequence_length", "tokens", "samples", "gpus"],
  ...["gpus_per_node", "mfu", "hfu", "goodput", "host_power_w", "network_power_w", "intensity_g_per_kwh", "pue"],
  "price_per_gpu_hour",
];
const WHOLE = ["layers", "hidden_size", "sequence_length", "gpus", "gpus_per_node"];
const WORDS = ["model", "method", "gpu", "precision", "recompute", "node", "cooling", "region", "zone", "intensity_basis"];
const FIRST = { model: "llama2-7b", gpu: "NVIDIA H100 80GB HBM3", gpus: 64, region: "aws:eu-north-1" };

/** Keep what differs from empty and from the engine's own defaults. */
function tidy(request) {
  const kept = Object.entries(request).filter(([key, value]) => {
    return value !== undefined && value !== null && value !== "" && value !== DEFAULTS[key];
  });
  return Object.fromEntries(kept);
}

function writeState({ scenarios, selected }) {
  const groups = scenarios.map(({ name, request }) => new URLSearchParams({ ...(name && { name }), ...tidy(request) }));
  return `#v1/${selected + 1}/${groups.join("/")}`;
}

function readScenario(text) {
  const request = {};
  let name = "";
  for (const [key, value] of new URLSearchParams(text)) {
    if (key === "name") name = value.slice(0, 60);
    else if (WORDS.includes(key)) request[key] = value;
    else if (NUMBERS.includes(key) && Number.isFinite(Number(value)) && Number(value) >= 0) request[key] = Number(value);
  }
  for (const [key, records] of [["gpu", GPUS], ["model", MODELS], ["node", NODES], ["region", REGIONS]]) {
    if (request[key] !== undefined && !records.has(request[key])) delete request[key];
  }
  request.gpu ??= FIRST.gpu;
  if (request.model === undefined && request.params === undefined && request.active_params === undefined) {
    request.model = FIRST.model;
  }
  return { name, request };
}

/** The state of an address, the first scenario's defaults where it holds none. */
function readState(hash) {
  const [version, selected, ...groups] = hash.replace(/^#/, "").split("/");
  if (version !== "v1" || !groups.length) return { scenarios: [{ name: "", request: { ...FIRST } }], selected: 0 };
  const scenarios = groups.slice(0, 8).map(readScenario);
  const index = Math.min(Math.max(0, Math.trunc(Number(selected) || 1) - 1), scenarios.length - 1);
  return { scenarios, selected: index };
}

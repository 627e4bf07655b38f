// The form: what is asked, shown with the value that an empty field stands for.

const percent = (value) => `${Number((100 * value).toPrecision(4))} %`;
const readPercent = (text) => {
  const value = readNumber(text);
  return value > 1 && !text.includes("%") ? value / 100 : value;
};
const shortGpu = (name) => name.replace(/^NVIDIA |^AMD Instinct /, "").replace("80GB HBM3", "SXM 80GB");

let fields = 0;

/** Why a number is refused; empty where it is not. `null` stands for an empty field, which is always taken. */
function refusal(value, [low, high], whole, write) {
  if (value === null || (value >= low && value <= high && (!whole || Number.isInteger(value)))) return "";
  return `a ${whole ? "whole number" : "number"} from ${write(low)} to ${write(high)}`;
}

/** A number with a slider (logarithmic unless `linear`); empty means `auto(found)`. */
function numberField({ label, name, range, linear = false, whole = false, write, read = readNumber, auto, limits, note = null }) {
  const id = `number-${++fields}`;
  const [low, high] = range;
  const steps = 1000;
  const toSlider = (x) => (linear ? (x - low) / (high - low) : Math.log(x / low) / Math.log(high / low)) * steps;
  const fromSlider = (step) => {
    const x = linear ? low + ((high - low) * step) / steps : low * (high / low) ** (step / steps);
    return whole ? Math.max(1, Math.round(Number(x.toPrecision(3)))) : Number(x.toPrecision(3));
  };
  const input = h("input", { id, type: "text", inputmode: "decimal", autocomplete: "off", "aria-describedby": `${id}-error` });
  const slider = h("input", { type: "range", min: "0", max: String(steps), step: "1", "aria-label": `${label}, slider` });
  const error = h("p", { id: `${id}-error`, class: "error" });
  const reset = h("button", { type: "button", class: "source", hidden: true, onclick: () => app.change({ [name]: undefined }) }, "use default");
  const set = (value) => {
    error.textContent = refusal(value, limits, whole, write);
    input.setAttribute("aria-invalid", String(!!error.textContent));
    if (!error.textContent) app.change({ [name]: value ?? undefined });
  };
  input.addEventListener("change", () => set(read(input.value)));
  let shown;
  slider.addEventListener("input", () => {
    const step = Number(slider.value);
    const value = fromSlider(step);
    // A step of the slider may be less than one GPU: an arrow key must move it all the same.
    set(value === shown && whole ? value + Math.sign(step - toSlider(shown)) : value);
  });
  const labels = h("div", { class: "label" }, h("label", { for: id }, label), note, reset);
  return {
    element: h("div", { class: "field number" }, labels, h("div", { class: "pair" }, input, slider), error),
    show(request, found) {
      const own = request[name];
      const value = own ?? (found ? auto(found) : undefined);
      if (document.activeElement !== input || !error.textContent) {
        input.value = own === undefined ? "" : write(own);
        input.setAttribute("aria-invalid", "false");
        error.textContent = "";
      }
      input.placeholder = value === undefined ? "" : write(value);
      // What the model or published runs tell can be gone back to; the rest has no default.
      const model = MODELS.get(request.model);
      reset.hidden = own === undefined || !{ params: model, tokens: model?.tokens, mfu: true, goodput: true }[name];
      shown = value;
      if (value !== undefined) {
        slider.value = String(toSlider(Math.min(Math.max(value, low), high)));
        slider.setAttribute("aria-valuetext", write(value));
      }
    },
  };
}

/** A plain number under "more"; empty means what the placeholder says. */
function plainField({ label, name, limits, auto, whole = false }) {
  const id = `plain-${++fields}`;
  const input = h("input", { id, type: "text", inputmode: "decimal", autocomplete: "off", "aria-describedby": `${id}-error` });
  const error = h("p", { id: `${id}-error`, class: "error" });
  input.addEventListener("change", () => {
    const value = readNumber(input.value);
    error.textContent = refusal(value, limits, whole, general);
    input.setAttribute("aria-invalid", String(!!error.textContent));
    if (!error.textContent) app.change({ [name]: value ?? undefined });
  });
  return {
    element: h("div", { class: "field" }, h("label", { for: id }, label), input, error),
    show(request, found) {
      input.value = request[name] === undefined ? "" : String(request[name]);
      input.setAttribute("aria-invalid", "false");
      error.textContent = "";
      input.placeholder = (found && auto(found)) ?? "not given";
    },
  };
}

function selectField({ label, name, options, allowed = () => true, patch = (value) => ({ [name]: value || undefined }) }) {
  const id = `select-${++fields}`;
  const choices = options.map(([value, text]) => h("option", { value }, text));
  const select = h("select", { id, onchange: () => app.change(patch(select.value)) }, ...choices);
  return {
    element: h("div", { class: "field" }, h("label", { for: id }, label), select),
    show(request) {
      choices.forEach((choice) => (choice.disabled = !allowed(choice.value, request)));
      select.value = request[name] ?? DEFAULTS[name] ?? "";
    },
  };
}

function chooser(name, settings) {
  const box = combobox(settings);
  return { element: box.element, show: (request) => box.show(request[name]) };
}

const listed = (value, label, detail, more = "") => ({ value, label, detail, words: `${value} ${label} ${detail} ${more}`.toLowerCase() });
const MODEL_CHOICES = DATA.models.map((model) => {
  const size = model.moe ? `${shortCount(model.params)}, ${shortCount(model.active_params)} active` : shortCount(model.params);
  return listed(model.id, model.name, `${size}${model.tokens ? `, ${shortCount(model.tokens)} tokens` : ""}`);
});
const GPU_CHOICES = DATA.gpus.map((gpu) => {
  const peak = gpu.peak.bf16 ?? gpu.peak.fp16;
  return listed(gpu.name, shortGpu(gpu.name), `${gpu.form}, ${gpu.tdp_w} W${peak ? `, ${peak} TFLOP/s` : ""}`, `${gpu.architecture} ${gpu.name.includes("HBM3") ? "h100 sxm" : ""}`);
});
const REGION_CHOICES = DATA.regions.map((region) => {
  const grid = DATA.grids[region.grid];
  return listed(region.key, region.key, `${region.place}, ${general(grid.g)} g/kWh ${grid.basis}`, `${grid.name} ${region.country}`);
});
const ZONE_CHOICES = Object.entries(DATA.zones).map(([zone, index]) => {
  const grid = DATA.grids[index];
  return listed(zone, `${grid.name} (${zone})`, `${general(grid.g)} g/kWh ${grid.basis}`);
});
const NODE_CHOICES = DATA.nodes.map((node) => listed(node.name, node.name, `${node.gpu_count} × ${shortGpu(node.gpu)}`));

function chooseModel(id) {
  const { training } = app.current().found ?? {};
  const shape = { params: undefined, active_params: undefined, layers: undefined, hidden_size: undefined, sequence_length: undefined };
  if (id) {
    // A model whose tokens are not published keeps the tokens that were shown.
    const tokens = MODELS.get(id).tokens ? undefined : training?.tokens ?? 1e12;
    return app.change({ ...shape, model: id, tokens, samples: undefined });
  }
  const previous = MODELS.get(app.current().request.model);
  const own = training && { ...(previous?.moe && { active_params: training.active_params }), params: training.params, tokens: training.tokens, sequence_length: training.sequence_length };
  return app.change({ ...shape, ...own, model: undefined, samples: undefined });
}

/** The form with `show(request, found)`. */
function inputsForm() {
  const entry = (what) => () => app.current().found?.provenance.filter((one) => [what].flat().includes(one.what)) ?? [];
  const source = (title, what) => sourceButton(title, entry(what));
  const training = [
    chooser("model", { label: "Model", empty: "Custom: by parameters", choices: () => MODEL_CHOICES, choose: chooseModel, note: source("Model", ["model", "active parameters", "model FLOPs"]) }),
    numberField({ label: "Parameters", name: "params", range: [1e7, 2e12], limits: [1e5, 1e14], write: shortCount, auto: (found) => found.training.params }),
    numberField({ label: "Tokens", name: "tokens", range: [1e8, 1e14], limits: [1, 1e17], write: shortCount, auto: (found) => found.training.tokens, note: source("Tokens", "tokens") }),
    selectField({ label: "Training", name: "method", options: [["full", "all weights"], ["lora", "LoRA (frozen base)"], ["qlora", "QLoRA (4-bit base)"]] }),
  ];
  const hardware = [
    chooser("gpu", {
      label: "GPU", choices: () => GPU_CHOICES, note: source("GPU", ["GPU", "dense peak", "embodied carbon of a GPU"]),
      choose: (gpu) => {
        const { precision = "bf16" } = app.current().request;
        const formats = Object.keys(GPUS.get(gpu).peak);
        app.change({ gpu, node: undefined, ...(!formats.includes(precision) && { precision: formats.includes("fp16") ? "fp16" : formats[0] }) });
      },
    }),
    numberField({ label: "Number of GPUs", name: "gpus", range: [1, 1e5], limits: [1, 1e7], whole: true, write: (x) => grouped(String(x)), auto: (found) => found.hardware.gpu_count }),
    selectField({
      label: "Precision", name: "precision", options: ["bf16", "fp16", "fp8", "fp4", "tf32", "fp32"].map((name) => [name, name.toUpperCase()]),
      allowed: (format, request) => GPUS.get(request.gpu).peak[format] !== undefined && (format !== "fp4" || request.mfu !== undefined),
    }),
    numberField({ label: "MFU", name: "mfu", range: [0.02, 0.8], limits: [0.001, 1], linear: true, write: percent, read: readPercent, auto: (found) => found.mfu.value, note: sourceButton("MFU", () => [...entry("MFU")(), ...mfuEvidence()]) }),
    h("p", { class: "hint", id: "mfu-range" }),
    selectField({ label: "Recompute", name: "recompute", options: [["none", "none"], ["selective", "selective (attention)"], ["full", "full"]] }),
    numberField({ label: "Goodput", name: "goodput", range: [0.3, 1], limits: [0.01, 1], linear: true, write: percent, read: readPercent, auto: (found) => found.goodput.value }),
  ];
  const place = [
    chooser("region", {
      label: "Cloud region", empty: "None", choices: () => REGION_CHOICES, note: source("Place", ["grid intensity", "market-based intensity", "PUE", "price of a GPU-hour"]),
      choose: (region) => app.change({ region: region || undefined }),
    }),
    h("p", { class: "hint", id: "place-facts" }),
  ];
  const g = (quantity) => (quantity ? general(quantity.value, 4) : undefined);
  const more = [
    chooser("zone", { label: "Grid zone, in place of the region's", empty: "The region's", choices: () => ZONE_CHOICES, choose: (zone) => app.change({ zone: zone || undefined }) }),
    plainField({ label: "Grid intensity, g CO₂e/kWh", name: "intensity_g_per_kwh", limits: [0, 3000], auto: (found) => g(found.carbon.intensity) }),
    selectField({ label: "That intensity is", name: "intensity_basis", options: ["as given", "lifecycle", "direct", "marginal"].map((name) => [name, name]) }),
    plainField({ label: "PUE", name: "pue", limits: [1, 4], auto: (found) => g(found.energy.pue) }),
    plainField({ label: "Price, USD per GPU-hour", name: "price_per_gpu_hour", limits: [0, 1000], auto: (found) => g(found.cost.per_gpu_hour) }),
    chooser("node", { label: "Node type", empty: "Not named", choices: () => NODE_CHOICES, choose: (node) => app.change({ node: node || undefined, ...(node && { gpu: NODES.get(node).gpu }) }) }),
    plainField({ label: "GPUs per node", name: "gpus_per_node", limits: [1, 128], whole: true, auto: (found) => String(found.hardware.gpus_per_node) }),
    selectField({ label: "Cooling", name: "cooling", options: [["", "not known"], ["air", "air"], ["liquid", "liquid"], ["immersion", "immersion"]] }),
    plainField({ label: "Host power of a node, W", name: "host_power_w", limits: [1, 50000], auto: () => "by the node line" }),
    plainField({ label: "Network power of the run, W", name: "network_power_w", limits: [0, 1e8], auto: () => "not included" }),
    plainField({ label: "Active parameters (mixture of experts)", name: "active_params", limits: [1e5, 1e14], auto: (found) => shortCount(found.training.active_params) }),
    plainField({ label: "Sequence length, tokens", name: "sequence_length", limits: [1, 1e8], whole: true, auto: (found) => String(found.training.sequence_length) }),
  ];
  const all = [training, hardware, place, more].flat();
  const set = (title, parts) => h("fieldset", {}, h("legend", {}, title), ...parts.map((part) => part.element ?? part));
  const element = h(
    "form",
    { class: "inputs", "aria-label": "The run", onsubmit: (event) => event.preventDefault() },
    set("Training", training), set("Hardware", hardware), set("Place", place),
    h("details", { class: "more" }, h("summary", {}, "More: site, node, network, shape"), ...more.map((part) => part.element)),
  );
  return {
    element,
    show(request, found) {
      all.forEach((part) => part.show?.(request, found));
      element.querySelector("#mfu-range").textContent = mfuHint(request, found);
      element.querySelector("#place-facts").textContent = placeHint(found);
    },
  };
}

function mfuHint(request, found) {
  if (!found) return "";
  try {
    const { value, low, high, source } = expectMfu(GPUS.get(request.gpu), request.precision ?? "bf16", found.training.active_params);
    return `Published: ${fixed(100 * value, 0)} % (${fixed(100 * low, 0)} to ${fixed(100 * high, 0)} %), ${source}.`;
  } catch {
    return "Nothing is published for this number format: give MFU.";
  }
}

function placeHint(found) {
  if (!found) return "";
  const { intensity, intensity_basis: basis, zone } = found.carbon;
  const parts = [];
  if (intensity) parts.push(`${general(intensity.value)} g CO₂e/kWh ${basis} (${zone})`);
  parts.push(`PUE ${general(found.energy.pue.value)}`);
  if (found.cost.per_gpu_hour) parts.push(`${show(found.cost.per_gpu_hour)} a GPU-hour`);
  return parts.join(" · ");
}

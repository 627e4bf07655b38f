// Scenarios side by side, the paper's Table 1, and what can be copied.

const scenarioName = ({ name, request }, index) => {
  if (name) return name;
  const model = request.model ? MODELS.get(request.model).name : `${shortCount(request.active_params ?? request.params)}`;
  return `${index + 1}: ${model}, ${request.gpus ?? 8} × ${shortGpu(request.gpu)}`;
};

function scenarioBar() {
  const { scenarios, selected } = app.state;
  const tabs = scenarios.map((scenario, i) =>
    h("button", { type: "button", class: "scenario", "aria-pressed": String(i === selected), onclick: () => app.select(i) }, scenarioName(scenario, i)),
  );
  const full = scenarios.length >= 8;
  const name = h("input", { id: "scenario-name", type: "text", maxlength: "60", value: scenarios[selected].name, placeholder: scenarioName(scenarios[selected], selected), onchange: (event) => app.rename(event.target.value.trim()) });
  return [
    h("div", { class: "tabs", role: "group", "aria-label": "Scenarios" }, ...tabs, h("button", { type: "button", class: "plain", disabled: full, onclick: () => app.add({ ...app.current().request }, "") }, "Add a scenario")),
    scenarios.length > 1
      ? h("div", { class: "naming" }, h("label", { for: "scenario-name" }, "Name"), name, h("button", { type: "button", class: "plain", onclick: () => app.remove() }, "Remove"))
      : null,
  ];
}

/** The ratio of one scenario's figure to the first's: factors that both share cancel, draw by draw. */
function ratioTo(first, other, key, metric) {
  if (!first.draws[key] || !other.draws[key] || !(first.draws[key].value > 0)) return null;
  const why = metric && comparable(metric, first.found, other.found);
  if (why) return h("span", { class: "detail" }, `not comparable: ${why}`);
  const ratio = other.draws[key].over(first.draws[key]);
  const [low, high] = ratio.interval();
  const range = low === high ? "" : ` (${amount(low, 2)} to ${amount(high, 2)})`;
  return h("span", { class: "detail" }, `${amount(ratio.value, 2)} × the first${range}`);
}

function compareSection() {
  const { scenarios } = app.state;
  if (scenarios.length < 2) return null;
  const results = scenarios.map((_, i) => app.result(i));
  const rows = [
    ["GPU-hours", "gpu_hours", "gpu_hours", (one) => one.gpu_hours],
    ["Wall clock", "wall_hours", null, (one) => one.wall_hours],
    ["Cost", "cost", "cost", (one) => one.cost.total],
    ["Energy", "energy", "energy", (one) => one.energy[one.energy.headline]],
    ["Carbon, operational", "operational", "carbon", (one) => one.carbon.operational],
    ["Carbon, total", "carbon", "carbon", (one) => one.carbon.total],
  ];
  const cell = (result, i, [, key, metric, of]) => {
    if (!result.found) return h("td", { class: "unknown" }, result.error);
    const quantity = of(result.found);
    if (!quantity) return h("td", { class: "unknown" }, "not known");
    const ratio = i && results[0].found ? ratioTo(results[0], result, key, metric) : null;
    const where = metric === "energy" ? h("span", { class: "detail" }, BOUNDARIES[result.found.energy.headline]) : null;
    return h("td", {}, h("strong", {}, show(quantity)), h("span", { class: "detail" }, showRange(quantity)), where, ratio);
  };
  const place = (result) => {
    if (!result.found) return h("td", {}, "");
    const { carbon, energy } = result.found;
    const grid = carbon.intensity ? `${general(carbon.intensity.value)} g/kWh ${carbon.intensity_basis}` : "no grid";
    return h("td", {}, describe(result.found), h("span", { class: "detail" }, `${grid}, PUE ${general(energy.pue.value)}`));
  };
  return h(
    "section",
    { "aria-labelledby": "compare" },
    h("h2", { id: "compare" }, "Side by side"),
    h("p", { class: "hint" }, "Ratios hold what both share (the same PUE, the same node line) equal, so their range is narrower than the figures'."),
    h(
      "div",
      { class: "scroll compare", tabindex: "0", role: "group", "aria-label": "Scenarios side by side" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Figure"), ...scenarios.map((one, i) => h("th", { scope: "col" }, scenarioName(one, i))))),
        h("tbody", {}, h("tr", {}, h("th", { scope: "row" }, "Run"), ...results.map(place)), ...rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row[0]), ...results.map((result, i) => cell(result, i, row))))),
      ),
    ),
  );
}

function paperSection() {
  const table = asPaper();
  const { value: constants, ...cite } = DATA.constants.paper;
  const rows = [
    ["GPU-hours", grouped(fixed(table.gpu_hours, 1)), "14e9 FLOP a token × 6 × 2e12 tokens / (1979 TFLOP/s × 1.0)", table.ours.gpu_hours],
    ["Cost", `$${grouped(fixed(table.cost_usd, 0))}`, "$3.50 a GPU-hour", table.ours.cost.total],
    ["Energy", `${grouped(fixed(table.energy_kwh, 1))} kWh`, "0.7 kW a GPU: boards at TDP, no host, no PUE", table.ours.energy.facility],
    ["Carbon", `${fixed(table.carbon_kg, 2)} kg CO₂e`, "20 g CO₂e/kWh", table.ours.carbon.operational],
  ];
  const [low, high] = constants.reachable_mfu;
  const span = ({ params, low_gpu_hours, high_gpu_hours }) => `${fixed(low_gpu_hours / 1e3, 0)} to ${fixed(high_gpu_hours / 1e3, 0)} thousand GPU-hours at N = ${general(params / 1e9, 4)}e9`;
  const entries = [{ what: "Table 1", value: "LLaMA-7B, 2e12 tokens, H100, Sweden", ...cite }];
  const compare = () => app.replace([
    { name: "As the table assumes", request: paperClaim() },
    { name: "As published runs went", request: paperRequest() },
  ]);
  return h(
    "section",
    { "aria-labelledby": "paper" },
    h("h2", { id: "paper" }, "A published figure, taken apart"),
    h("p", {}, "Table 1 of the EcoCompute AI paper gives the cost of training LLaMA-7B in Sweden. Its own constants reproduce it to the digit; beside it, the range that published runs of this kind imply. ", sourceButton("Table 1", () => entries)),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table 1" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...["", "Table 1", "Because", "Here", "90 % range"].map((text, i) => h(text ? "th" : "td", { scope: text ? "col" : null, class: i === 1 || i > 2 ? "num" : "" }, text)))),
        h("tbody", {}, ...rows.map(([name, text, why, ours]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "num" }, text), h("td", {}, why), h("td", { class: "num" }, show(ours)), h("td", { class: "num" }, showRange(ours))))),
      ),
    ),
    h("p", {}, "What it implies: 1,979 TFLOP/s is the board's sparse peak. On the dense peak, half of it, the table's time needs an MFU of"),
    h("ul", {}, ...table.implied.map(({ counted, mfu }) => h("li", {}, h("strong", {}, `${fixed(100 * mfu, 1)} %`), ` counting ${counted}`))),
    h("p", {}, `which is out of reach. At ${percent(low)} to ${percent(high)}, attention apart, the same tokens take ${table.reachable.map(span).join(", ")}. Host, cooling and network are not in the table's energy, and its 20 g/kWh is not the lifecycle intensity of Sweden's grid.`),
    h("button", { type: "button", class: "plain", onclick: compare }, "Compare the two as scenarios"),
  );
}

const sharing = { form: "markdown" };

function shareSection({ request, found }) {
  const forms = { markdown: ["Markdown", () => asMarkdown(found, request)], json: ["JSON", () => asJson(found)], command: ["Command", () => asCommand(request)] };
  const text = h("pre", { tabindex: "0", role: "group", "aria-label": "What is copied" }, h("code", {}, forms[sharing.form][1]()));
  const radios = Object.entries(forms).map(([key, [name]]) => {
    const radio = h("input", { type: "radio", name: "form", id: `form-${key}`, value: key, onchange: () => {
      sharing.form = key;
      text.firstChild.textContent = forms[key][1]();
    } });
    radio.checked = key === sharing.form;
    return h("label", { class: "check" }, radio, name);
  });
  const copy = async (what, said) => {
    await copyText(what);
    toast(said);
  };
  return h(
    "section",
    { "aria-labelledby": "share" },
    h("h2", { id: "share" }, "Take it along"),
    h("p", { class: "hint" }, "Markdown for a pull request, JSON as ", h("code", {}, "ecoaudit estimate --json"), " prints it, or the command that prints the same figures."),
    h(
      "div",
      { class: "pickers", role: "group", "aria-label": "Form" },
      ...radios,
      h("button", { type: "button", class: "plain", onclick: () => copy(forms[sharing.form][1](), `${forms[sharing.form][0]} copied`) }, "Copy"),
      h("button", { type: "button", class: "plain", onclick: () => copy(location.href, "link copied: it holds every scenario") }, "Copy link"),
    ),
    text,
  );
}

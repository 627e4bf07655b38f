// The result of the selected scenario: main figures, every figure, what it rests on, where energy goes, what is unsure.

function card(name, quantity, extra, first, reason) {
  const range = quantity && quantity.low !== quantity.high ? `90\u00a0%: ${showRange(quantity)}` : "";
  // The card's name is the unit of GPU-hours already.
  const text = quantity?.unit === "GPU-h" ? amount(quantity.value) : show(quantity);
  return h(
    "div",
    { class: first ? "card first" : "card" },
    h("h2", {}, name),
    h("p", { class: quantity ? "value" : "value unknown" }, text),
    h("p", { class: "interval" }, quantity ? range : onPage(reason)),
    h("p", { class: "where" }, ...[extra].flat()),
  );
}

const basisTag = (basis) => h("span", { class: `basis ${basis}` }, basis);

function cards(found) {
  const { energy, carbon, cost } = found;
  const best = energy[energy.headline];
  const days = found.wall_hours.value / 24;
  const wall = days >= 2 ? `${amount(days)} days` : `${amount(found.wall_hours.value)} hours`;
  const carbonLabel = carbon.total ? `${carbon.total_label}; ${BOUNDARIES[energy.headline]}, ${carbon.intensity_basis}` : "";
  return h(
    "section",
    { class: "figures", "aria-label": "Main figures" },
    card("Carbon", carbon.total, carbonLabel, true, reasonOf(found, "total")),
    card("Cost", cost.total, cost.per_gpu_hour ? `at ${show(cost.per_gpu_hour)} a GPU-hour` : "", false, reasonOf(found, "cost")),
    card("Energy", best, `${BOUNDARIES[energy.headline]}${energy.headline === "gpu" ? " only, lower bound" : ""}`, false, ""),
    card("GPU-hours", found.gpu_hours, `${wall} on ${grouped(String(found.hardware.gpu_count))} GPUs`, false, ""),
  );
}

function resultTable(found) {
  const row = ([key, name, quantity, boundary, whats]) => {
    if (!quantity) {
      return h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "unknown num" }, "not known"), h("td", { class: "unknown", colspan: "4" }, onPage(reasonOf(found, key))));
    }
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { class: "num" }, show(quantity)),
      h("td", { class: "num" }, showRange(quantity)),
      h("td", {}, basisTag(quantity.basis)),
      h("td", {}, boundary),
      h("td", {}, sourceButton(name, () => quantityEntries(found, name, quantity, boundary, whats))),
    );
  };
  const head = ["Figure", "Value", "90 % range", "Basis", "Boundary", "Source"];
  return h(
    "section",
    { "aria-labelledby": "all" },
    h("h2", { id: "all" }, "Every figure"),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Every figure" },
      h(
        "table",
        { class: "stack" },
        h("thead", {}, h("tr", {}, ...head.map((text, i) => h("th", { scope: "col", class: i === 1 || i === 2 ? "num" : "" }, text)))),
        h("tbody", {}, ...resultRows(found).map(row)),
      ),
    ),
  );
}

/** Options of the command as the form names them. */
const FIELD_NAMES = {
  "--network-power-w": "network power under More",
  "--host-power-w": "host power under More",
  "--sequence-length": "sequence length under More",
  "--region, --zone or --intensity": "a region, a zone or an intensity",
  "--pue": "PUE under More",
  "--gpus": "the number of GPUs",
  "--price": "a price under More",
};
const onPage = (text) => Object.entries(FIELD_NAMES).reduce((now, [option, name]) => now.replace(option, name), text);

function warningsSection(found) {
  const notes = found.warnings.map(onPage);
  if (!notes.length) return null;
  return h("section", { "aria-labelledby": "notes" }, h("h2", { id: "notes" }, "What this rests on"), h("ul", { class: "notes" }, ...notes.map((text) => h("li", {}, text))));
}

/** Parts of the headline energy in kWh. */
function energyParts({ energy }) {
  if (!energy.facility) return [];
  const node = energy.node.value;
  const network = energy.network?.value ?? 0;
  const boards = Math.min(energy.gpu.value, node);
  return [
    { name: "GPU boards", value: boards },
    { name: "Host, supplies and fans", value: node - boards },
    { name: "Network", value: network },
    { name: "PUE overhead (cooling, distribution)", value: energy.facility.value - node - network },
  ].filter(({ value }) => value > 0);
}

function energySection(found, width) {
  const parts = energyParts(found);
  const title = "Where the energy goes";
  if (!parts.length) {
    const text = `Only the boards are known here: ${onPage(reasonOf(found, "energy_facility"))}.`;
    return h("section", { "aria-labelledby": "where" }, h("h2", { id: "where" }, title), h("p", {}, text));
  }
  const whole = found.energy.facility.value;
  const share = ({ value }) => `${fixed((100 * value) / whole, 0)} %`;
  const legend = parts.map((part, i) =>
    h("li", {}, h("span", { class: `swatch part-${i}`, "aria-hidden": "true" }), `${part.name} `, h("strong", {}, show({ value: part.value, unit: "kWh" })), ` ${share(part)}`),
  );
  const rows = parts.map((part) => [part.name, show({ value: part.value, unit: "kWh" }), share(part)]);
  return h(
    "section",
    { "aria-labelledby": "where" },
    h("h2", { id: "where" }, title),
    h("p", { class: "hint" }, `Facility energy, central value ${show(found.energy.facility)}.`),
    figure(title, stacked(width, title, parts), ["Part", "Energy", "Share"], rows),
    h("ul", { class: "legend" }, ...legend),
  );
}

function driversSection(found, width) {
  const title = "What drives the uncertainty";
  const rows = found.drivers.filter(({ share }) => share >= 0.005).map(({ name, share }) => ({ label: name, value: share, text: `${fixed(100 * share, 0)} %` }));
  const of = found.drivers_of === "carbon.operational" ? "operational carbon" : "energy";
  if (!rows.length) return null;
  return h(
    "section",
    { "aria-labelledby": "drivers" },
    h("h2", { id: "drivers" }, title),
    h("p", { class: "hint" }, `Share of the width of ${of} that each source of doubt explains.`),
    figure(title, bars(width, title, rows), ["Source of doubt", "Share"], rows.map(({ label, text }) => [label, text])),
  );
}

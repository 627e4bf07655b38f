// The page: state, and what is drawn from it.

const app = {
  state: readState(location.hash),
  cache: new Map(),
  timings: [],

  /** The estimate of a scenario: `{ request, found, draws, error }`. */
  result(index) {
    const { request } = this.state.scenarios[index];
    const key = JSON.stringify(tidy(request));
    if (!this.cache.has(key)) {
      if (this.cache.size > 40) this.cache.clear();
      let result;
      try {
        const { estimate: found, draws } = estimateWithDraws(request);
        result = { found, draws, error: null };
      } catch (error) {
        result = { found: null, draws: {}, error: error.message };
      }
      this.cache.set(key, result);
    }
    return { request, ...this.cache.get(key) };
  },
  current() {
    return this.result(this.state.selected);
  },

  change(patch) {
    const scenario = this.state.scenarios[this.state.selected];
    // MFU and HFU, tokens and samples are two ways to say one thing: the one just set holds.
    const instead = { ...("mfu" in patch && { hfu: undefined }), ...("tokens" in patch && { samples: undefined }) };
    scenario.request = tidy({ ...scenario.request, ...instead, ...patch });
    this.draw();
  },
  select(index) {
    this.state.selected = index;
    this.draw();
  },
  rename(name) {
    this.state.scenarios[this.state.selected].name = name;
    this.draw();
  },
  add(request, name) {
    if (this.state.scenarios.length >= 8) return toast("eight scenarios are the most");
    this.state.scenarios.push({ name, request: tidy(request) });
    this.state.selected = this.state.scenarios.length - 1;
    this.draw();
    toast(`scenario ${this.state.scenarios.length} added, side by side below`);
  },
  remove() {
    this.state.scenarios.splice(this.state.selected, 1);
    this.state.selected = Math.max(0, this.state.selected - 1);
    this.draw();
  },
  replace(scenarios) {
    this.state = { scenarios: scenarios.map(({ name, request }) => ({ name, request: tidy(request) })), selected: 1 };
    this.draw();
    drawChoices();
    document.getElementById("compare").scrollIntoView();
  },

  /** Draw the figures now, the comparisons a moment later: a dragged slider must not wait for them. */
  draw() {
    const start = performance.now();
    const { found, error, request } = this.current();
    history.replaceState(null, "", writeState(this.state));
    parts.form.show(request, found);
    keepFocus(parts.bar, () => parts.bar.replaceChildren(...scenarioBar().filter(Boolean)));
    parts.alert.textContent = error ?? "";
    parts.alert.hidden = !error;
    parts.summary.replaceChildren(...(found ? summary(found) : []));
    if (found) parts.main.replaceChildren(...[h("p", { class: "asked" }, describe(found)), cards(found), warningsSection(found), resultTable(found)].filter(Boolean));
    else parts.main.replaceChildren();
    this.timings.push(performance.now() - start);
    this.refreshChoices();
  },
  refreshChoices: null,
};

/** Run a redraw of `element` and give the focus back to the control at the same place. */
function keepFocus(element, redraw) {
  const controls = () => [...element.querySelectorAll("button, select, input, summary, [tabindex]")];
  const at = controls().indexOf(document.activeElement);
  const open = [...element.querySelectorAll("details")].map((details) => details.open);
  redraw();
  [...element.querySelectorAll("details")].forEach((details, i) => open[i] && details.classList.contains("figures-table") && (details.open = true));
  if (at >= 0) controls()[at]?.focus({ preventScroll: true });
}

function drawChoices() {
  const current = app.current();
  const width = Math.max(280, Math.floor(parts.more.clientWidth));
  keepFocus(parts.more, () => {
    const { found } = current;
    const sections = found
      ? [compareSection(), energySection(found, width), driversSection(found, width), leversSection(current), regionsSection(current, width), tradeoffSection(current, width), shareSection(current)]
      : [compareSection()];
    parts.more.replaceChildren(...sections.filter(Boolean));
  });
}

app.refreshChoices = (() => {
  let pending = 0;
  return () => {
    clearTimeout(pending);
    pending = setTimeout(drawChoices, 60);
  };
})();

/** The line that stays in sight on a phone. */
function summary(found) {
  const { carbon, cost, energy } = found;
  const items = [["Carbon", carbon.total], ["Cost", cost.total], ["Energy", energy[energy.headline]], ["GPU-hours", found.gpu_hours]];
  return items.filter(([, quantity]) => quantity).map(([name, quantity]) => h("span", {}, `${name} `, h("strong", {}, show(quantity))));
}

const parts = {
  bar: h("div", { class: "scenarios" }),
  form: inputsForm(),
  alert: h("p", { class: "alert", role: "alert", hidden: true }),
  main: h("div", {}),
  more: h("div", {}),
  summary: h("div", { class: "summary", "aria-hidden": "true" }),
};

document.getElementById("page").append(
  parts.bar,
  h("div", { class: "columns" }, parts.form.element, h("div", { class: "results" }, parts.alert, parts.main, parts.more, paperSection(), constantsSection())),
  parts.summary,
);
document.getElementById("footer").append(`${DATA.tool}. Ranges are 90 % intervals. A figure without a source is a bug.`);
addEventListener("hashchange", () => {
  app.state = readState(location.hash);
  app.draw();
});
addEventListener("resize", () => app.refreshChoices());
app.draw();
window.ecoaudit = Object.freeze({ estimate, centralEstimate, asPaper, app, asCommand, asMarkdown, asJson, readState, writeState, levers, complete });

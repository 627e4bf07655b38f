// A text field that searches a list (ARIA 1.2 combobox with a list box): type, arrow keys, Enter (or Tab where one is left), Escape; emptied is none.

const SHOWN = 60;
let comboboxes = 0;

/**
 * `choices()` gives `[{ value, label, detail, words }]`, `choose(value)` is called with the chosen one. With
 * `empty`, the list starts with a choice of nothing that reads so. Returns the field's element with `show(value)`.
 */
function combobox({ label, choices, choose, empty = null, note = null }) {
  const id = `combobox-${++comboboxes}`;
  const input = h("input", {
    id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}-list`,
  });
  const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-label": label, hidden: true });
  const element = h("div", { class: "field combobox" }, h("div", { class: "label" }, h("label", { for: id }, label), note), input, list);
  let chosen = "";
  let options = [];
  let active = -1;
  let typed = false;

  const textOf = (value) => choices().find((choice) => choice.value === value)?.label ?? "";
  const close = () => {
    list.hidden = true;
    active = -1;
    typed = false;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const restore = () => {
    close();
    input.value = chosen ? textOf(chosen) : "";
  };
  const mark = (index) => {
    options[active]?.element.setAttribute("aria-selected", "false");
    active = index;
    const option = options[active];
    if (!option) return;
    option.element.setAttribute("aria-selected", "true");
    option.element.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.element.id);
  };
  const take = (value) => {
    chosen = value;
    restore();
    choose(value);
  };
  const open = (query) => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (choice) => words.every((word) => choice.words.includes(word));
    const all = [...(empty ? [{ value: "", label: empty, detail: "", words: "" }] : []), ...choices()];
    const found = words.length ? all.filter(fits) : all;
    options = found.slice(0, SHOWN).map((choice, i) => ({
      choice,
      element: h(
        "li",
        {
          id: `${id}-${i}`, role: "option", "aria-selected": "false",
          onpointerdown: (event) => event.preventDefault(),
          onclick: () => take(choice.value),
        },
        h("span", {}, choice.label), h("span", { class: "detail" }, choice.detail),
      ),
    }));
    const rest = found.length - options.length;
    const more = rest > 0 ? [h("li", { class: "more", role: "presentation" }, `${rest} more: type to search`)] : [];
    const none = found.length ? [] : [h("li", { class: "more", role: "presentation" }, "nothing found")];
    list.replaceChildren(...options.map((option) => option.element), ...more, ...none);
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(words.length ? 0 : options.findIndex(({ choice }) => choice.value === chosen));
  };
  input.addEventListener("click", () => list.hidden && (input.select(), open("")));
  input.addEventListener("input", () => {
    open(input.value);
    typed = true;
  });
  input.addEventListener("blur", () => (empty && chosen && !input.value.trim() ? take("") : restore()));
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) open("");
      else mark(Math.min(Math.max(active + step, 0), options.length - 1));
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      if (options[active]) take(options[active].choice.value);
    } else if (event.key === "Tab" && typed && input.value.trim() && options.length === 1) {
      take(options[0].choice.value);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      restore();
    }
  });
  return {
    element,
    show(value) {
      chosen = value ?? "";
      if (empty) input.placeholder = empty;
      if (document.activeElement !== input) restore();
    },
  };
}

// What all explorers use: elements, sliders, radio buttons, and a function that draws again after each change.

function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children);
  return created;
}

// A slider with a name. `show(value, spoken, written)` moves it: `written` is the text beside it, `spoken` is for screen readers.
function slider(name, { min, max, step, digits = 2 }, change) {
  const input = element("input", { type: "range", min, max, step });
  const text = element("span", { class: "gm-value", "aria-hidden": "true" });
  input.addEventListener("input", () => change(Number(input.value)));
  return {
    row: element("div", { class: "gm-slider" }, element("label", {}, element("span", {}, name), input), text),
    show(value, spoken, written = format(value, digits)) {
      input.value = value;
      text.textContent = written;
      input.setAttribute("aria-valuetext", spoken);
    },
  };
}

// Radio buttons with a name. `show(index)` checks one of them, and `change(index)` is called when the reader does.
function choice(name, options, change) {
  const group = uniqueGroup();
  const inputs = options.map((_, index) => {
    const input = element("input", { type: "radio", name: group, value: index });
    input.addEventListener("change", () => change(index));
    return input;
  });
  const labels = inputs.map((input, index) => element("label", {}, input, ` ${options[index]}`));
  return {
    row: element("fieldset", { class: "gm-choice" }, element("legend", {}, name), ...labels),
    show(chosen) {
      inputs.forEach((input, index) => {
        input.checked = index === chosen;
      });
    },
  };
}

// A name for a group of radio buttons: two explorers in a page have separate groups.
function uniqueGroup() {
  return `group-${Math.random().toString(36).slice(2)}`;
}

// A number with a true minus sign, and without one before a zero.
function format(value, digits = 2) {
  return value.toFixed(digits).replace(/^-(0\.0*)$/, "$1").replace("-", "−");
}

function limit(value, lowest, highest) {
  return Math.min(highest, Math.max(lowest, value));
}

// Returns `render` as a notebook and page.js call it. `build` fills the element `el` and returns `draw(chosen)`, which is
// called at first, and after each change of the chosen values, the size or the theme. For `build`, `choose` changes some of the
// chosen values, `chosen()` returns all of them, and `ended` is aborted when the explorer is removed.
function explorer(build) {
  return ({ model, el }) => {
    el.classList.add("gm-explorer");
    const chosen = () => model.get("chosen");
    const choose = (part) => {
      model.set("chosen", { ...chosen(), ...part });
      model.save_changes();
    };
    const ended = new AbortController();
    const draw = build({ el, state: model.get("state"), choose, chosen, ended: ended.signal });

    let waiting = false;
    const redraw = () => {
      if (waiting) return;
      waiting = true; // all changes before the next frame are drawn together
      requestAnimationFrame(() => {
        waiting = false;
        draw(chosen());
      });
    };
    model.on("change:chosen", redraw);
    const sizes = new ResizeObserver(redraw); // also called once at the beginning, when the element is in the page
    sizes.observe(el);
    const themes = new MutationObserver(redraw);
    for (const root of [document.documentElement, document.body])
      themes.observe(root, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] });
    return () => {
      ended.abort();
      model.off("change:chosen", redraw);
      sizes.disconnect();
      themes.disconnect();
    };
  };
}

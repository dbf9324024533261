// What every explorer is made of: elements, sliders, and a picture that follows choice, size and theme.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A named slider. `show(value, spoken, written)` moves it: `written` stands behind it, a screen reader hears `spoken`.
function slider(name, { min, max, step, digits = 2 }, change) {
  const input = element("input", { type: "range", min, max, step });
  const shown = element("span", { class: "gm-value", "aria-hidden": "true" });
  input.addEventListener("input", () => change(Number(input.value)));
  return {
    row: element("div", { class: "gm-slider" }, element("label", {}, element("span", {}, name), input), shown),
    show(value, spoken, written = inWords(value, digits)) {
      input.value = value;
      shown.textContent = written;
      input.setAttribute("aria-valuetext", spoken);
    },
  };
}

// Radio buttons under a name. `show(which)` sets one of them, counted from 0 as in `change(which)`.
function choice(name, options, change) {
  const group = `choice-${Math.random().toString(36).slice(2)}`; // those of two explorers are two groups
  const inputs = options.map((_, which) => {
    const input = element("input", { type: "radio", name: group, value: which });
    input.addEventListener("change", () => change(which));
    return input;
  });
  const labels = inputs.map((input, which) => element("label", {}, input, ` ${options[which]}`));
  return {
    row: element("fieldset", { class: "gm-choice" }, element("legend", {}, name), ...labels),
    show(chosen) {
      inputs.forEach((input, which) => {
        input.checked = which === chosen;
      });
    },
  };
}

// A number as a reader writes it, with a true minus and no minus before a zero.
function inWords(value, digits = 2) {
  return value.toFixed(digits).replace(/^-(0\.0*)$/, "$1").replace("-", "−");
}

function limit(value, lowest, highest) {
  return Math.min(highest, Math.max(lowest, value));
}

// Makes `render` for either host, a live notebook or a page. `build` fills the element and gives `draw`, which is called
// with what is chosen: at first, and whenever the choice, the size or the theme changes. Nothing moves by itself.
// `choose` changes a part of the choice, and `chosen` gives all of it as it is now, drawn or not. `ended` is a signal:
// what the reader has set going stops when the host lets go.
function explorer(version, build) {
  return ({ model, el }) => {
    el.classList.add("gm-explorer");
    const state = model.get("state");
    if (state.version !== version) {
      const sentence = "This explorer was stored by another version of gmlib. Run its cell again, and it comes alive.";
      el.append(element("p", { class: "gm-stale", role: "note" }, sentence));
      return undefined;
    }
    const chosen = () => model.get("chosen");
    const choose = (part) => {
      model.set("chosen", { ...chosen(), ...part });
      model.save_changes();
    };
    const ended = new AbortController();
    const draw = build({ el, state, choose, chosen, ended: ended.signal });

    let waiting = false;
    const redraw = () => {
      if (waiting) return;
      waiting = true; // many changes before the next frame make one picture
      requestAnimationFrame(() => {
        waiting = false;
        draw(chosen());
      });
    };
    model.on("change:chosen", redraw);
    const sizes = new ResizeObserver(redraw); // speaks up at first, too: once the host has put us into the page
    sizes.observe(el);
    const themes = new MutationObserver(redraw);
    for (const place of [document.documentElement, document.body])
      themes.observe(place, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] });
    return () => {
      ended.abort();
      model.off("change:chosen", redraw);
      sizes.disconnect();
      themes.disconnect();
    };
  };
}

// Two ways from one latent to another, side by side: the image and the length of the latent, from tiles drawn beforehand.

const render = explorer(1, ({ el, state, choose }) => {
  const { steps, tiles, lengths } = state;
  const names = Object.keys(tiles);
  const pairs = tiles[names[0]].length;
  const ink = Object.fromEntries(
    names.map((name) => [name, tiles[name].map((way) => Uint8Array.from(atob(way), (character) => character.charCodeAt(0)))]),
  );
  const tile = (name, pair, step) => Array.from(ink[name][pair].subarray(784 * step, 784 * (step + 1)), (value) => value / 255);

  const group = `pair-${Math.random().toString(36).slice(2)}`; // radio buttons of two explorers are two groups
  const radios = Array.from({ length: pairs }, (_, pair) => {
    const input = element("input", { type: "radio", name: group, value: pair });
    input.addEventListener("change", () => choose({ pair }));
    return input;
  });
  const which = element("fieldset", { class: "gm-pairs" }, element("legend", {}, "pair of latents"));
  which.append(...radios.map((input, pair) => element("label", {}, input, ` ${pair + 1}`)));

  const views = names.map((name) => {
    const canvas = element("canvas", { class: "gm-digit", role: "img" });
    const length = element("span", { class: "gm-length" });
    return { name, canvas, length, box: element("div", {}, element("strong", {}, name), canvas, length) };
  });
  const way = slider("t", { min: 0, max: 1, step: 1 / (steps - 1) }, (t) => choose({ t }));
  el.append(which, element("div", { class: "gm-beside gm-ways" }, ...views.map((each) => each.box)), way.row);

  return ({ pair, t }) => {
    const step = Math.round(t * (steps - 1));
    const said = views.map(({ name, canvas, length }) => {
      const long = `length of z ${inWords(lengths[name][pair][step], 1)}`;
      paintDigit(canvas, tile(name, pair, step));
      canvas.setAttribute("aria-label", `The image at t = ${inWords(t)} on the ${name}; ${long}`);
      length.textContent = long;
      return `${name}: ${long}`;
    });
    radios.forEach((input, i) => {
      input.checked = i === pair;
    });
    way.show(t, `${inWords(t)}. ${said.join("; ")}`);
  };
});

export default { render };

// Two ways from one latent to another, side by side: the image and the length of the latent, from tiles drawn beforehand.

const render = explorer(1, ({ el, state, choose }) => {
  const { steps, tiles, lengths } = state;
  const names = Object.keys(tiles);
  const pairs = tiles[names[0]].map((_, pair) => pair + 1);
  const which = choice("pair of latents", pairs, (pair) => choose({ pair }));
  const views = names.map((name) => {
    const ink = tiles[name].map((way) => unpacked(way, Uint8Array));
    const canvas = element("canvas", { class: "gm-digit", role: "img" });
    const length = element("span", { class: "gm-length" });
    return { name, ink, canvas, length, box: element("div", {}, element("strong", {}, name), canvas, length) };
  });
  const way = slider("t", { min: 0, max: 1, step: 1 / (steps - 1) }, (t) => choose({ t }));
  el.append(which.row, element("div", { class: "gm-beside gm-ways" }, ...views.map((each) => each.box)), way.row);

  return ({ pair, t }) => {
    const step = Math.round(t * (steps - 1));
    const said = views.map(({ name, ink, canvas, length }) => {
      const long = `length of z ${inWords(lengths[name][pair][step], 1)}`;
      paintDigit(canvas, tile(ink[pair], step));
      canvas.setAttribute("aria-label", `The image at t = ${inWords(t)} on the ${name}; ${long}`);
      length.textContent = long;
      return `${name}: ${long}`;
    });
    which.show(pair);
    way.show(t, `${inWords(t)}. ${said.join("; ")}`);
  };
});

export default { render };

// Linear and spherical interpolation between two latents: the image and the length of the latent, from stored images.

const render = explorer(({ el, state, choose }) => {
  const { steps, lengths } = state;
  const names = Object.keys(state.images);
  const pairs = state.images[names[0]].map((_, pair) => pair + 1);
  const whichPair = choice("pair of latents", pairs, (pair) => choose({ pair }));
  const views = names.map((name) => {
    const paths = state.images[name].map((path) => fromBase64(path, Uint8Array));
    const canvas = element("canvas", { class: "gm-digit", role: "img" });
    const length = element("span", {});
    return { name, paths, canvas, length, box: element("div", {}, element("strong", {}, name), canvas, length) };
  });
  const position = slider("t", { min: 0, max: 1, step: 1 / (steps - 1) }, (t) => choose({ t }));
  el.append(whichPair.row, element("div", { class: "gm-beside gm-paths" }, ...views.map((each) => each.box)), position.row);

  return ({ pair, t }) => {
    const step = Math.round(t * (steps - 1));
    const descriptions = views.map(({ name, paths, canvas, length }) => {
      const text = `length of z ${format(lengths[name][pair][step], 1)}`;
      paintDigit(canvas, imageAt(paths[pair], step));
      canvas.setAttribute("aria-label", `The image at t = ${format(t)} on the ${name}; ${text}`);
      length.textContent = text;
      return `${name}: ${text}`;
    });
    whichPair.show(pair);
    position.show(t, `${format(t)}. ${descriptions.join("; ")}`);
  };
});

export default { render };

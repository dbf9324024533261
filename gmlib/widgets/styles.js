// A label and a style: ten digits in one handwriting, the one that was asked for large.

const render = explorer(1, ({ el, state, choose, chosen }) => {
  const decode = decoder(state.decoder);
  const range = { min: -state.extent, max: state.extent, step: 0.05 };
  const group = `label-${Math.random().toString(36).slice(2)}`; // radio buttons of two explorers are two groups

  const large = element("canvas", { class: "gm-digit", role: "img" });
  const sliders = [
    slider("z₁", range, (value) => choose({ z: [value, chosen().z[1]] })),
    slider("z₂", range, (value) => choose({ z: [chosen().z[0], value] })),
  ];
  const digits = Array.from({ length: 10 }, (_, label) => {
    const input = element("input", { type: "radio", name: group, value: label });
    const canvas = element("canvas", { "aria-hidden": "true" });
    input.addEventListener("change", () => choose({ label }));
    return { input, canvas, box: element("label", {}, input, canvas, element("span", {}, String(label))) };
  });
  const all = element("fieldset", { class: "gm-labels" }, element("legend", {}, "label y"));
  all.append(...digits.map((each) => each.box));
  const style = element("fieldset", {}, element("legend", {}, "style z"), ...sliders.map((each) => each.row));
  el.append(element("div", { class: "gm-beside" }, large, element("div", { class: "gm-side" }, style, all)));

  return ({ label: asked, z }) => {
    const place = z.map((value) => inWords(value)).join(", ");
    digits.forEach(({ input, canvas }, label) => {
      paintDigit(canvas, decode(z, label));
      input.checked = label === asked;
    });
    paintDigit(large, decode(z, asked));
    large.setAttribute("aria-label", `A ${asked} in the style z = (${place})`);
    sliders.forEach((each, i) => each.show(z[i], inWords(z[i])));
  };
});

export default { render };

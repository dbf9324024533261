// A label and a style z: all ten digits in this style, and the chosen one enlarged.

const render = explorer(({ el, state, choose, chosen }) => {
  const decode = decoder(state.decoder);
  const range = { min: -state.extent, max: state.extent, step: 0.05 };
  const group = uniqueGroup();

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
  const labels = element("fieldset", { class: "gm-labels" }, element("legend", {}, "label y"));
  labels.append(...digits.map((each) => each.box));
  const style = element("fieldset", {}, element("legend", {}, "style z"), ...sliders.map((each) => each.row));
  el.append(element("div", { class: "gm-beside" }, large, element("div", { class: "gm-side" }, style, labels)));

  return ({ label: chosenLabel, z }) => {
    digits.forEach(({ input, canvas }, label) => {
      paintDigit(canvas, decode(z, label));
      input.checked = label === chosenLabel;
    });
    paintDigit(large, decode(z, chosenLabel));
    large.setAttribute("aria-label", `A ${chosenLabel} in the style z = (${z.map((value) => format(value)).join(", ")})`);
    sliders.forEach((each, i) => each.show(z[i], format(z[i])));
  };
});

export default { render };

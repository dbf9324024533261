// A point in the latent plane, and the digit that it decodes to.

const GRAIN = 0.05; // the point moves in steps of this much, by mouse as by slider
const STEP = 0.1; // of an arrow key
const NEAR = 10;

const render = explorer(1, ({ el, state, choose, chosen }) => {
  const { extent, points, labels, centres, colours } = state;
  const decode = decoder(state.decoder);
  const range = { min: -extent, max: extent, step: GRAIN };
  const go = (...place) => choose({ z: place.map((value) => GRAIN * Math.round(limit(value, -extent, extent) / GRAIN)) });

  const plane = element("canvas", { class: "gm-plane", tabindex: 0, role: "application" });
  const digit = element("canvas", { class: "gm-digit", role: "img" });
  const sliders = [
    slider("z₁", range, (value) => go(value, chosen().z[1])),
    slider("z₂", range, (value) => go(chosen().z[0], value)),
  ];
  const near = element("p", {});
  const told = element("div", { class: "gm-told" }, digit, near);
  const side = element("div", { class: "gm-side" }, told, ...sliders.map((each) => each.row));
  el.append(element("div", { class: "gm-beside" }, plane, side));

  draggable(plane, (across, down) => go((2 * across - 1) * extent, (1 - 2 * down) * extent));
  steered(plane, (right, down) => go(chosen().z[0] + STEP * right, chosen().z[1] - STEP * down));

  // The digits around z, as words: what a reader who does not see the picture can know of it.
  function company(z) {
    const away = ([x, y]) => (x - z[0]) ** 2 + (y - z[1]) ** 2;
    const nearest = points.map((point, i) => [away(point), labels[i]]).sort((a, b) => a[0] - b[0]).slice(0, NEAR);
    const counts = Array(10).fill(0);
    nearest.forEach(([, label]) => counts[label]++);
    const most = Math.max(...counts);
    return `Of the ${NEAR} embedded digits nearest to z, ${most} are ${counts.indexOf(most)}s.`;
  }

  function drawPlane(z) {
    const { context, width, height } = blank(plane);
    const place = ([x, y]) => [((x / extent + 1) / 2) * width, ((1 - y / extent) / 2) * height];
    const ink = colour(plane, "--gm-ink");
    context.globalAlpha = 0.6;
    points.forEach((point, i) => {
      const [x, y] = place(point);
      context.fillStyle = colours[labels[i]];
      context.fillRect(x - 1.5, y - 1.5, 3, 3);
    });
    context.globalAlpha = 1;
    context.font = "bold 18px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 4;
    context.strokeStyle = colour(plane, "--gm-ground");
    context.fillStyle = ink;
    for (const [label, ...centre] of centres) {
      context.strokeText(label, ...place(centre));
      context.fillText(label, ...place(centre));
    }
    context.font = "15px system-ui, sans-serif";
    context.fillText("z₁ →", width - 24, height - 14);
    context.fillText("↑ z₂", 24, 16);
    const [x, y] = place(z);
    context.lineWidth = 1;
    context.strokeStyle = ink;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.stroke();
    context.lineWidth = 3;
    context.fillStyle = colour(plane, "--gm-ground");
    context.beginPath();
    context.arc(x, y, 7, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }

  return ({ z }) => {
    const [place, words] = [`z = (${z.map((value) => inWords(value)).join(", ")})`, company(z)];
    paintDigit(digit, decode(z));
    drawPlane(z);
    sliders.forEach((each, i) => each.show(z[i], `${inWords(z[i])}. ${words}`));
    near.textContent = words;
    digit.setAttribute("aria-label", `The digit decoded at ${place}. ${words}`);
    plane.setAttribute("aria-label", `Latent plane with the point ${place}. Arrow keys move it.`);
  };
});

export default { render };

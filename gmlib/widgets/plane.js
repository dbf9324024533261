// A point in the latent plane, and the decoder output at this point.

const MOUSE_STEP = 0.05; // of the mouse and the sliders, in units of z
const KEY_STEP = 0.1; // of the arrow keys
const NEIGHBOURS = 10;

const render = explorer(({ el, state, choose, chosen }) => {
  const { extent, points, labels, centres, colours } = state;
  const decode = decoder(state.decoder);
  const range = { min: -extent, max: extent, step: MOUSE_STEP };
  const go = (...z) => choose({ z: z.map((value) => MOUSE_STEP * Math.round(limit(value, -extent, extent) / MOUSE_STEP)) });

  const plane = element("canvas", { class: "gm-plane", tabindex: 0, role: "application" });
  const digit = element("canvas", { class: "gm-digit", role: "img" });
  const sliders = [
    slider("z₁", range, (value) => go(value, chosen().z[1])),
    slider("z₂", range, (value) => go(chosen().z[0], value)),
  ];
  const neighbours = element("p", {});
  const decoded = element("div", { class: "gm-decoded" }, digit, neighbours);
  const side = element("div", { class: "gm-side" }, decoded, ...sliders.map((each) => each.row));
  el.append(element("div", { class: "gm-beside" }, plane, side));

  draggable(plane, (across, down) => go((2 * across - 1) * extent, (1 - 2 * down) * extent));
  onArrowKeys(plane, (right, down) => go(chosen().z[0] + KEY_STEP * right, chosen().z[1] - KEY_STEP * down));

  // A sentence on the digits around z, also for readers who do not see the figure.
  function describe(z) {
    const squaredDistance = ([x, y]) => (x - z[0]) ** 2 + (y - z[1]) ** 2;
    const sorted = points.map((point, i) => [squaredDistance(point), labels[i]]).sort((a, b) => a[0] - b[0]);
    const counts = Array(10).fill(0);
    sorted.slice(0, NEIGHBOURS).forEach(([, label]) => counts[label]++);
    const most = Math.max(...counts);
    return `Of the ${NEIGHBOURS} embedded digits nearest to z, ${most} are ${counts.indexOf(most)}s.`;
  }

  function paintPlane(z) {
    const { context, width, height } = blank(plane);
    const pixel = ([x, y]) => [((x / extent + 1) / 2) * width, ((1 - y / extent) / 2) * height];
    const ink = colour(plane, "--gm-ink");
    context.globalAlpha = 0.6;
    points.forEach((point, i) => {
      const [x, y] = pixel(point);
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
      context.strokeText(label, ...pixel(centre));
      context.fillText(label, ...pixel(centre));
    }
    context.font = "15px system-ui, sans-serif";
    context.fillText("z₁ →", width - 24, height - 14);
    context.fillText("↑ z₂", 24, 16);
    const [x, y] = pixel(z);
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
    const [place, words] = [`z = (${z.map((value) => format(value)).join(", ")})`, describe(z)];
    paintDigit(digit, decode(z));
    paintPlane(z);
    sliders.forEach((each, i) => each.show(z[i], `${format(z[i])}. ${words}`));
    neighbours.textContent = words;
    digit.setAttribute("aria-label", `The decoder output at ${place}. ${words}`);
    plane.setAttribute("aria-label", `Latent plane with the point ${place}. Arrow keys move it.`);
  };
});

export default { render };

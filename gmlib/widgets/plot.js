// Curves over a horizontal axis, and a legend.

const DASHES = { samples: [7, 4], js: [7, 4], optimal: [9, 5], clipped: [0, 6] }; // dashes of length 0 are dots

// Clears the canvas for x from `left` to `right` and y from `bottom` to `top`, with ticks at multiples of `every`.
function plotter(canvas, [left, right], [bottom, top], every = 1) {
  const { context, width, height } = blank(canvas);
  const pixel = (x, y) => [
    ((x - left) / (right - left)) * width,
    height - 20 - ((y - bottom) / (top - bottom)) * (height - 32),
  ];
  context.strokeStyle = colour(canvas, "--gm-line");
  context.fillStyle = colour(canvas, "--gm-ink");
  context.textAlign = "center";
  for (let x = every * Math.ceil(left / every); x <= right; x += every) {
    context.fillText(format(x, 0), limit(pixel(x, 0)[0], 14, width - 14), height - 4);
    curve([x, x], [bottom, top]);
  }
  curve([left, right], [bottom, bottom]);
  context.beginPath(); // cut off curves above the numbers of the axis
  context.rect(0, 0, width, height - 14);
  context.clip();

  // `filled` colours the area under the curve.
  function curve(xs, ys, name = "", filled = false) {
    context.beginPath();
    xs.forEach((x, i) => context.lineTo(...pixel(x, ys[i])));
    if (name) {
      context.strokeStyle = context.fillStyle = colour(canvas, `--gm-${name}`);
      const dashes = DASHES[name] ?? [];
      const dots = dashes[0] === 0;
      context.setLineDash(dashes);
      context.lineCap = dots ? "round" : "butt";
      context.lineWidth = dots ? 3.6 : 2.2;
    }
    context.stroke();
    if (!filled) return;
    context.globalAlpha = 0.18;
    context.fill();
    context.globalAlpha = 1;
  }
  function horizontal(y, text) {
    context.lineCap = "butt";
    context.setLineDash([2, 3]);
    context.lineWidth = 1;
    context.strokeStyle = context.fillStyle = colour(canvas, "--gm-ink");
    curve([left, right], [y, y]);
    context.textAlign = "left";
    context.fillText(text, 4, pixel(0, y)[1] - 4);
  }
  function dot(x, y, name) {
    context.fillStyle = colour(canvas, `--gm-${name}`);
    context.beginPath();
    context.arc(...pixel(x, y), 5.5, 0, 2 * Math.PI);
    context.fill();
  }
  return { curve, horizontal, dot };
}

// Names of curves, each beside a piece of its line.
function legend(names) {
  const entries = Object.entries(names).map(([name, text]) =>
    element("span", {}, element("i", { class: `gm-key gm-key-${name}`, "aria-hidden": "true" }), text),
  );
  return element("div", { class: "gm-legend" }, ...entries);
}

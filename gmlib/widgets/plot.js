// Lines over an axis, in the units of what they show, and their names beside pieces of them.

const DASHES = { samples: [7, 4], js: [7, 4], best: [9, 5], clipped: [0, 6] }; // dashes of no length are dots

// Clears the canvas for x from `left` to `right` and y from `bottom` to `top`, with a number below every whole step of x.
function plotter(canvas, [left, right], [bottom, top], every = 1) {
  const { context, width, height } = blank(canvas);
  const place = (x, y) => [
    ((x - left) / (right - left)) * width,
    height - 20 - ((y - bottom) / (top - bottom)) * (height - 32),
  ];
  context.strokeStyle = colour(canvas, "--gm-line");
  context.fillStyle = colour(canvas, "--gm-ink");
  context.textAlign = "center";
  for (let x = every * Math.ceil(left / every); x <= right; x += every) {
    context.fillText(inWords(x, 0), limit(place(x, 0)[0], 14, width - 14), height - 4);
    stroke([x, x], [bottom, top]);
  }
  stroke([left, right], [bottom, bottom]);
  context.beginPath(); // a line that leaves the frame does not cross the numbers
  context.rect(0, 0, width, height - 14);
  context.clip();

  // `under` fills what lies below.
  function stroke(xs, ys, name = "", under = false) {
    context.beginPath();
    xs.forEach((x, i) => context.lineTo(...place(x, ys[i])));
    if (name) {
      context.strokeStyle = context.fillStyle = colour(canvas, `--gm-${name}`);
      const dashes = DASHES[name] ?? [];
      const dots = dashes[0] === 0;
      context.setLineDash(dashes);
      context.lineCap = dots ? "round" : "butt";
      context.lineWidth = dots ? 3.6 : 2.2;
    }
    context.stroke();
    if (!under) return;
    context.globalAlpha = 0.18;
    context.fill();
    context.globalAlpha = 1;
  }
  function level(y, text) {
    context.lineCap = "butt";
    context.setLineDash([2, 3]);
    context.lineWidth = 1;
    context.strokeStyle = context.fillStyle = colour(canvas, "--gm-ink");
    stroke([left, right], [y, y]);
    context.textAlign = "left";
    context.fillText(text, 4, place(0, y)[1] - 4);
  }
  function dot(x, y, name) {
    context.fillStyle = colour(canvas, `--gm-${name}`);
    context.beginPath();
    context.arc(...place(x, y), 5.5, 0, 2 * Math.PI);
    context.fill();
  }
  return { stroke, level, dot };
}

// Names of lines, each beside a piece of it.
function legend(names) {
  const entries = Object.entries(names).map(([name, text]) =>
    element("span", {}, element("i", { class: `gm-key gm-key-${name}`, "aria-hidden": "true" }), text),
  );
  return element("div", { class: "gm-legend" }, ...entries);
}

// An image sampled pixel by pixel: the pixels so far, the probability of ink of each given those before it, and its surprise
// -log p. The first network has sampled the image; the others predict the same pixels.

const SIDE = 28;
const LAST = SIDE * SIDE - 1;
const DURATION = 4000; // milliseconds in which an image is drawn

const render = explorer(({ el, state, choose, chosen, ended }) => {
  const images = state.images.map(({ uniforms, logits }) => {
    const u = fromBase64(uniforms, Float32Array);
    const logitsOf = logits.map((text) => fromBase64(text, Float32Array));
    const x = samplePixels(u, logitsOf[0]);
    const networks = logitsOf.map((each) => {
      const surprise = surprises(x, each);
      return { p: Array.from(each, sigmoid), surprise, total: cumulativeSums(surprise) };
    });
    return { u, x, networks };
  });

  const whichImage = choice("image", images.map((_, i) => i + 1), (image) => choose({ image }));
  const whichNetwork = choice("probabilities of", state.networks, (network) => choose({ network }));
  const [sampled, likely, costly] = ["sampled so far", "probability of ink", "surprise"].map((name, i) => {
    const canvas = element("canvas", i ? { role: "img" } : { role: "application", tabindex: 0 });
    return { canvas, box: element("div", {}, element("strong", {}, name), canvas) };
  });
  const views = [sampled, likely, costly];
  const position = slider("pixel", { min: 1, max: LAST + 1, step: 1, digits: 0 }, (value) => go(value - 1));
  const button = element("button", { type: "button" });
  const comparison = element("p", { class: "gm-numbers" });
  const line = element("canvas", { class: "gm-line", role: "img" });
  const rows = state.networks.map((name) => {
    const cells = [1, 2, 3].map(() => element("td", {}));
    return { cells, row: element("tr", {}, element("th", { scope: "row" }, name), ...cells) };
  });
  const titles = ["network", "probability of ink", "surprise, nats", "sum so far, nats"];
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  const table = element("table", { class: "gm-table" }, head, ...rows.map(({ row }) => row));
  const squares = element("div", { class: "gm-squares" }, ...views.map(({ box }) => box));
  el.append(whichImage.row, whichNetwork.row, squares, position.row, comparison, line, table);

  let animation = null; // the animation that is running
  function setAnimation(value) {
    animation = value;
    button.textContent = value ? "stop" : "draw";
  }
  // Moves to a pixel that the reader has chosen, and stops the animation.
  function go(pixel) {
    setAnimation(null);
    choose({ pixel: limit(pixel, 0, LAST) });
  }
  setAnimation(null);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) position.row.append(button);
  button.addEventListener("click", () => {
    if (animation) return setAnimation(null);
    const started = { from: chosen().pixel === LAST ? 0 : chosen().pixel, at: performance.now() };
    setAnimation(started);
    const frame = (now) => {
      if (animation !== started || ended.aborted || !el.isConnected) return;
      const pixel = Math.min(LAST, started.from + Math.round((LAST * Math.max(0, now - started.at)) / DURATION));
      choose({ pixel });
      if (pixel === LAST) setAnimation(null);
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const index = (fraction) => Math.min(SIDE - 1, Math.floor(SIDE * fraction));
  for (const { canvas } of views) draggable(canvas, (across, down) => go(SIDE * index(down) + index(across)));
  onArrowKeys(sampled.canvas, (right, down) => go(chosen().pixel + right + SIDE * down));

  // Paints amounts of ink up to a pixel, which gets a frame. Pixels that are not sampled yet are hatched.
  function paint(canvas, amounts, last) {
    const { context, width } = blank(canvas);
    const density = canvas.width / width;
    const edge = (i) => Math.round((i * canvas.width) / SIDE) / density; // whole pixels of the screen, without gaps
    const size = (i) => edge(i + 1) - edge(i);
    context.strokeStyle = colour(canvas, "--gm-line");
    context.beginPath();
    for (let x = -width; x < width; x += 6) {
      context.moveTo(x, width);
      context.lineTo(x + width, 0);
    }
    context.stroke();
    const [row, column] = [Math.floor(last / SIDE), last % SIDE];
    context.fillStyle = colour(canvas, "--gm-ground");
    context.fillRect(0, 0, width, edge(row));
    context.fillRect(0, edge(row), edge(column + 1), size(row));
    context.fillStyle = colour(canvas, "--gm-ink");
    for (let i = 0; i <= last; i++) {
      const [y, x] = [Math.floor(i / SIDE), i % SIDE];
      context.globalAlpha = amounts[i];
      context.fillRect(edge(x), edge(y), size(x), size(y));
    }
    context.globalAlpha = 1;
    for (const [name, thickness] of [["--gm-ground", 5], ["--gm-focus", 2.5]]) {
      context.strokeStyle = colour(canvas, name);
      context.lineWidth = thickness;
      context.strokeRect(edge(column) - 1.5, edge(row) - 1.5, size(column) + 3, size(row) + 3);
    }
  }

  // Paints a line from 0 to 1, filled up to the probability of ink p, with the uniform number u below it.
  function paintLine(p, u) {
    const { context, width } = blank(line);
    const [top, height] = [4, 22];
    context.fillStyle = context.strokeStyle = colour(line, "--gm-ink");
    context.globalAlpha = 0.22;
    context.fillRect(0, top, p * width, height);
    context.globalAlpha = 1;
    context.strokeRect(0.5, top + 0.5, width - 1, height - 1);
    if (p * width > 40) context.fillText("ink", 8, top + 15);
    context.textAlign = "right";
    if ((1 - p) * width > 60) context.fillText("no ink", width - 8, top + 15);
    context.textAlign = "center";
    context.fillText("u", limit(u * width, 8, width - 8), top + height + 22);
    context.fillStyle = colour(line, "--gm-focus");
    context.beginPath();
    for (const [x, y] of [[0, -6], [-6, 10], [6, 10]]) context.lineTo(u * width + x, top + height + y);
    context.fill();
  }

  return ({ image, network, pixel: i }) => {
    const { u, x, networks } = images[image];
    const { p, surprise } = networks[network];
    paint(sampled.canvas, x, i);
    paint(likely.canvas, p, i);
    paint(costly.canvas, surprise.map((nats) => Math.min(1, nats / state.black)), i);
    paintLine(networks[0].p[i], u[i]);

    const place = `row ${Math.floor(i / SIDE) + 1}, column ${(i % SIDE) + 1}`;
    const side = x[i] ? "below" : "not below";
    const words = `u = ${format(u[i], 3)} is ${side} p = ${format(networks[0].p[i], 3)}: ${x[i] ? "ink" : "no ink"}`;
    comparison.textContent = `Row${place.slice(3)}: ${words}.`;
    networks.forEach((each, k) => {
      const numbers = [format(each.p[i], 3), format(each.surprise[i]), format(each.total[i], 1)];
      rows[k].cells.forEach((cell, j) => cell.replaceChildren(numbers[j]));
    });
    whichImage.show(image);
    whichNetwork.show(network);
    const sums = networks.map((each, k) => `${state.networks[k]}: ${format(each.total[i], 1)} nats so far`).join("; ");
    position.show(i + 1, `${i + 1} of ${LAST + 1}, ${place}. ${words}. ${sums}`);
    sampled.canvas.setAttribute("aria-label", `Image ${image + 1}, sampled up to ${place}. ${words}. Arrow keys move the pixel.`);
    likely.canvas.setAttribute("aria-label", `Probability of ink at each pixel, given the pixels before it; ${format(p[i], 3)} here`);
    costly.canvas.setAttribute("aria-label", `Surprise of each pixel, ${format(surprise[i])} nats here; black from ${state.black} nats on`);
    line.setAttribute("aria-label", `A line from 0 to 1: ${words}`);
  };
});

export default { render };

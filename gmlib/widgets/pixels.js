// An image drawn pixel by pixel: what is there so far, how likely ink was at each pixel when its turn came, and how surprising
// it was that it came, or did not. One network has drawn it; another, which has not, may read it too.

const SIDE = 28;
const LAST = SIDE * SIDE - 1;
const SECONDS = 4; // in which an image is drawn

const render = explorer(1, ({ el, state, choose, chosen }) => {
  const images = state.images.map(({ uniforms, logits }) => {
    const u = unpacked(uniforms, Float32Array);
    const odds = logits.map((text) => unpacked(text, Float32Array));
    const x = thrown(u, odds[0]);
    const readers = odds.map((each) => {
      const surprise = surprises(x, each);
      return { p: Array.from(each, sigmoid), surprise, total: sums(surprise) };
    });
    return { u, x, readers };
  });

  const which = choice("image", images.map((_, i) => i + 1), (image) => choose({ image }));
  const reader = choice("probabilities by", state.readers, (reader) => choose({ reader }));
  const [drawn, likely, costly] = ["drawn so far", "probability of ink", "surprise"].map((name, i) => {
    const canvas = element("canvas", i ? { role: "img" } : { role: "application", tabindex: 0 });
    return { canvas, box: element("div", {}, element("strong", {}, name), canvas) };
  });
  const sheets = [drawn, likely, costly].map(({ box }) => box);
  const pixel = slider("pixel", { min: 1, max: LAST + 1, step: 1, digits: 0 }, (value) => go(value - 1));
  const play = element("button", { type: "button" });
  const fate = element("p", { class: "gm-numbers" });
  const coin = element("canvas", { class: "gm-coin", role: "img" });
  const rows = state.readers.map((name) => {
    const cells = [1, 2, 3].map(() => element("td", {}));
    return { cells, row: element("tr", {}, element("th", { scope: "row" }, name), ...cells) };
  });
  const titles = ["network", "p of ink", "surprise, nats", "so far, nats"].map((title) => element("th", { scope: "col" }, title));
  const table = element("table", { class: "gm-table" }, element("tr", {}, ...titles), ...rows.map(({ row }) => row));
  el.append(which.row, reader.row, element("div", { class: "gm-sheets" }, ...sheets), pixel.row, fate, coin, table);

  let running = null; // the run that draws, while there is one
  function start(run) {
    running = run;
    play.textContent = run ? "stop" : "draw";
  }
  function go(place) {
    start(null); // whoever takes the pen, has it
    choose({ pixel: limit(place, 0, LAST) });
  }
  start(null);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) pixel.row.append(play);
  play.addEventListener("click", () => {
    if (running) return start(null);
    const run = { from: chosen().pixel === LAST ? 0 : chosen().pixel, since: performance.now() };
    start(run);
    const frame = (now) => {
      if (running !== run || !el.isConnected) return;
      const pixel = Math.min(LAST, run.from + Math.round((LAST * Math.max(0, now - run.since)) / (1000 * SECONDS)));
      choose({ pixel });
      if (pixel === LAST) start(null);
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const along = (part) => Math.min(SIDE - 1, Math.floor(SIDE * part));
  for (const { canvas } of [drawn, likely, costly])
    draggable(canvas, (across, down) => go(SIDE * along(down) + along(across)));
  steered(drawn.canvas, (right, down) => go(chosen().pixel + right + SIDE * down));

  // Amounts of ink up to a pixel, which is framed. What has not been drawn is hatched: it is neither ink nor paper.
  function paint(canvas, amounts, last) {
    const { context, width } = blank(canvas);
    const density = canvas.width / width;
    const edge = (i) => Math.round((i * canvas.width) / SIDE) / density; // on the screen's own pixels: no seams
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
    for (const [name, line] of [["--gm-ground", 5], ["--gm-focus", 2.5]]) {
      context.strokeStyle = colour(canvas, name);
      context.lineWidth = line;
      context.strokeRect(edge(column) - 1.5, edge(row) - 1.5, size(column) + 3, size(row) + 3);
    }
  }

  // The uniform number on a line from 0 to 1, of which the first part, as long as p, means ink.
  function paintCoin(p, u) {
    const { context, width } = blank(coin);
    const [top, height] = [4, 22];
    context.fillStyle = context.strokeStyle = colour(coin, "--gm-ink");
    context.globalAlpha = 0.22;
    context.fillRect(0, top, p * width, height);
    context.globalAlpha = 1;
    context.strokeRect(0.5, top + 0.5, width - 1, height - 1);
    if (p * width > 40) context.fillText("ink", 8, top + 15);
    context.textAlign = "right";
    if ((1 - p) * width > 60) context.fillText("no ink", width - 8, top + 15);
    context.textAlign = "center";
    context.fillText("u", limit(u * width, 8, width - 8), top + height + 22);
    context.fillStyle = colour(coin, "--gm-focus");
    context.beginPath();
    for (const [x, y] of [[0, -6], [-6, 10], [6, 10]]) context.lineTo(u * width + x, top + height + y);
    context.fill();
  }

  return ({ image, reader: by, pixel: i }) => {
    const { u, x, readers } = images[image];
    const { p, surprise } = readers[by];
    paint(drawn.canvas, x, i);
    paint(likely.canvas, p, i);
    paint(costly.canvas, surprise.map((nats) => Math.min(1, nats / state.full)), i);
    paintCoin(readers[0].p[i], u[i]);

    const place = `row ${Math.floor(i / SIDE) + 1}, column ${(i % SIDE) + 1}`;
    const side = x[i] ? "below" : "not below";
    const words = `u = ${inWords(u[i], 3)} is ${side} p = ${inWords(readers[0].p[i], 3)}: ${x[i] ? "ink" : "no ink"}`;
    fate.textContent = `Row${place.slice(3)}: ${words}.`;
    readers.forEach((each, k) => {
      const numbers = [inWords(each.p[i], 3), inWords(each.surprise[i]), inWords(each.total[i], 1)];
      rows[k].cells.forEach((cell, j) => cell.replaceChildren(numbers[j]));
    });
    which.show(image);
    reader.show(by);
    const far = readers.map((each, k) => `${state.readers[k]}: ${inWords(each.total[i], 1)} nats so far`).join("; ");
    pixel.show(i + 1, `${i + 1} of ${LAST + 1}, ${place}. ${words}. ${far}`);
    drawn.canvas.setAttribute("aria-label", `Image ${image + 1}, drawn up to ${place}. ${words}. Arrow keys move the pixel.`);
    likely.canvas.setAttribute("aria-label", `Probability of ink at each pixel when its turn came, ${inWords(p[i], 3)} here`);
    costly.canvas.setAttribute("aria-label", `Surprise at each pixel, ${inWords(surprise[i])} nats here; full ink from ${state.full} on`);
    coin.setAttribute("aria-label", `A line from 0 to 1: ${words}`);
  };
});

export default { render };

// Grids of generated images, the selected one enlarged, and the predictions of a classifier.

const render = explorer(({ el, state, choose, chosen }) => {
  const { rows, columns, confident } = state;
  const grids = state.grids.map((grid) => ({ ...grid, bytes: fromBase64(grid.images, Uint8Array) }));
  const isUnsure = (grid, i) => grid.probabilities[i] < confident;
  const go = (row, column) => choose({ row: limit(row, 0, rows - 1), column: limit(column, 0, columns - 1) });

  const whichGrid = choice("grid", grids.map(({ name }) => name), (grid) => choose({ grid }));
  const all = element("canvas", { class: "gm-grid", role: "application", tabindex: 0 });
  all.style.aspectRatio = `${columns} / ${rows}`;
  const digit = element("canvas", { class: "gm-digit", role: "img" });
  const prediction = element("p", {});
  const across = slider("column", { min: 0, max: columns - 1, step: 1, digits: 0 }, (column) => go(chosen().row, column));
  const down = slider("row", { min: 0, max: rows - 1, step: 1, digits: 0 }, (row) => go(row, chosen().column));
  const mark = element("input", { type: "checkbox" });
  const count = element("span", {});
  mark.addEventListener("change", () => choose({ marked: mark.checked }));
  const marking = element("label", { class: "gm-mark" }, mark, ` mark predictions with a probability below ${100 * confident}%`, count);
  const side = element("div", { class: "gm-side" }, digit, prediction, across.row, down.row);
  el.append(whichGrid.row, element("div", { class: "gm-beside" }, all, side), marking);

  draggable(all, (x, y) => go(Math.floor(y * rows), Math.floor(x * columns)));
  onArrowKeys(all, (right, below) => go(chosen().row + below, chosen().column + right));

  // All images of a grid in the theme's colour, painted once per grid and colour.
  const painted = element("canvas", { width: 28 * columns, height: 28 * rows });
  function imagesOf(index) {
    const ink = colour(all, "--gm-ink");
    if (painted.dataset.key === `${index} ${ink}`) return painted;
    painted.dataset.key = `${index} ${ink}`;
    const context = painted.getContext("2d");
    const image = context.createImageData(painted.width, painted.height);
    grids[index].bytes.forEach((value, i) => {
      const [tile, pixel] = [Math.floor(i / 784), i % 784];
      const y = 28 * Math.floor(tile / columns) + Math.floor(pixel / 28);
      image.data[4 * (y * painted.width + 28 * (tile % columns) + (pixel % 28)) + 3] = value;
    });
    context.putImageData(image, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = ink;
    context.fillRect(0, 0, painted.width, painted.height);
    context.globalCompositeOperation = "source-over";
    return painted;
  }

  function paintGrid({ grid, row, column, marked }) {
    const { context, width, height } = blank(all);
    const [w, h] = [width / columns, height / rows];
    context.drawImage(imagesOf(grid), 0, 0, width, height);
    context.strokeStyle = context.fillStyle = colour(all, "--gm-samples");
    context.lineWidth = 2;
    for (let i = 0; marked && i < rows * columns; i++) {
      if (!isUnsure(grids[grid], i)) continue;
      const [x, y] = [w * (i % columns), h * Math.floor(i / columns)];
      context.strokeRect(x + 2, y + 2, w - 4, h - 4);
      context.beginPath(); // a filled corner: visible without colour vision
      context.moveTo(x + w - 9, y + 2);
      context.lineTo(x + w - 2, y + 2);
      context.lineTo(x + w - 2, y + 9);
      context.fill();
    }
    for (const [name, line] of [["--gm-ground", 6], ["--gm-focus", 3]]) {
      context.strokeStyle = colour(all, name);
      context.lineWidth = line;
      context.strokeRect(w * column, h * row, w, h);
    }
  }

  return (values) => {
    const { grid, row, column, marked } = values;
    const [shown, i] = [grids[grid], row * columns + column];
    const percent = Math.floor(100 * shown.probabilities[i]); // rounded down: an unmarked prediction has at least 90%
    const label = shown.labelled ? `Label: ${row}. ` : "";
    const words = `${label}Prediction of the classifier: ${shown.digits[i]}, with probability ${percent}%.`;
    paintDigit(digit, imageAt(shown.bytes, i));
    paintGrid(values);
    whichGrid.show(grid);
    across.show(column, `${column}. ${words}`);
    down.show(row, `${row}. ${words}`);
    prediction.textContent = words;
    mark.checked = marked;
    const unsure = shown.digits.filter((_, image) => isUnsure(shown, image)).length;
    count.textContent = marked ? `: ${unsure} of ${rows * columns} images` : "";
    digit.setAttribute("aria-label", `The image in row ${row}, column ${column}. ${words}`);
    all.setAttribute("aria-label", `Grid of ${rows} rows and ${columns} columns; row ${row}, column ${column} is selected. Arrow keys select another image.`);
  };
});

export default { render };

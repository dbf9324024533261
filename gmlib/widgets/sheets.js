// Sheets of images to walk on, one of them large beside its sheet, and what a classifier reads there.

const render = explorer(1, ({ el, state, choose, chosen }) => {
  const { rows, columns, sure } = state;
  const sheets = state.sheets.map((sheet) => ({ ...sheet, ink: unpacked(sheet.tiles, Uint8Array) }));
  const unsure = (sheet, i) => sheet.probabilities[i] < sure;
  const go = (row, column) => choose({ row: limit(row, 0, rows - 1), column: limit(column, 0, columns - 1) });

  const which = choice("sheet", sheets.map(({ name }) => name), (sheet) => choose({ sheet }));
  const all = element("canvas", { class: "gm-sheet", role: "application", tabindex: 0 });
  all.style.aspectRatio = `${columns} / ${rows}`;
  const digit = element("canvas", { class: "gm-digit", role: "img" });
  const told = element("p", {});
  const across = slider("across", { min: 0, max: columns - 1, step: 1, digits: 0 }, (column) => go(chosen().row, column));
  const down = slider("down", { min: 0, max: rows - 1, step: 1, digits: 0 }, (row) => go(row, chosen().column));
  const mark = element("input", { type: "checkbox" });
  const count = element("span", {});
  mark.addEventListener("change", () => choose({ marked: mark.checked }));
  const marking = element("label", { class: "gm-mark" }, mark, " mark where the classifier is unsure", count);
  const side = element("div", { class: "gm-side" }, digit, told, across.row, down.row);
  el.append(which.row, element("div", { class: "gm-beside" }, all, side), marking);

  draggable(all, (x, y) => go(Math.floor(y * rows), Math.floor(x * columns)));
  steered(all, (right, below) => go(chosen().row + below, chosen().column + right));

  // The whole sheet in the theme's ink, drawn once for each sheet and theme.
  const kept = element("canvas", { width: 28 * columns, height: 28 * rows });
  function drawn(which) {
    const ink = colour(all, "--gm-ink");
    if (kept.dataset.key === `${which} ${ink}`) return kept;
    kept.dataset.key = `${which} ${ink}`;
    const context = kept.getContext("2d");
    const image = context.createImageData(kept.width, kept.height);
    sheets[which].ink.forEach((value, i) => {
      const [tile, pixel] = [Math.floor(i / 784), i % 784];
      const y = 28 * Math.floor(tile / columns) + Math.floor(pixel / 28);
      image.data[4 * (y * kept.width + 28 * (tile % columns) + (pixel % 28)) + 3] = value;
    });
    context.putImageData(image, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = ink;
    context.fillRect(0, 0, kept.width, kept.height);
    context.globalCompositeOperation = "source-over";
    return kept;
  }

  function drawSheet({ sheet, row, column, marked }) {
    const { context, width, height } = blank(all);
    const [w, h] = [width / columns, height / rows];
    context.drawImage(drawn(sheet), 0, 0, width, height);
    context.strokeStyle = context.fillStyle = colour(all, "--gm-samples");
    context.lineWidth = 2;
    for (let i = 0; marked && i < rows * columns; i++) {
      if (!unsure(sheets[sheet], i)) continue;
      const [x, y] = [w * (i % columns), h * Math.floor(i / columns)];
      context.strokeRect(x + 2, y + 2, w - 4, h - 4);
      context.beginPath(); // a corner filled in: a mark that needs no colour
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

  return (place) => {
    const { sheet, row, column, marked } = place;
    const [here, i] = [sheets[sheet], row * columns + column];
    const percent = Math.floor(100 * here.probabilities[i]); // so that 90% is said of what is sure only
    const asked = here.asked ? `Asked for a ${row}. ` : "";
    const reading = `${asked}The classifier reads a ${here.digits[i]}, at ${percent}%${unsure(here, i) ? ": unsure" : ""}.`;
    paintDigit(digit, tile(here.ink, i));
    drawSheet(place);
    which.show(sheet);
    across.show(column, `${column}. ${reading}`);
    down.show(row, `${row}. ${reading}`);
    told.textContent = reading;
    mark.checked = marked;
    const many = here.digits.filter((_, tile) => unsure(here, tile)).length;
    count.textContent = marked ? `: ${many} of ${rows * columns} images` : "";
    digit.setAttribute("aria-label", `The image of row ${row}, column ${column}. ${reading}`);
    all.setAttribute("aria-label", `Sheet of ${rows} rows and ${columns} columns, at row ${row}, column ${column}. Arrow keys move.`);
  };
});

export default { render };

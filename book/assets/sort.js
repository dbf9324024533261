// Tables of cells tagged `sortable`: a click on a column's name sorts by it, another click the other way round.
for (const table of document.querySelectorAll(".tag_sortable table")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "gm-sort";
    button.append(head.textContent.trim());
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      body.append(...[...body.rows].sort((a, b) => compared(a.cells[column], b.cells[column], up)));
    });
  });
}

// Numbers by size, words by the alphabet, and a dash, for what there is not, last either way.
function compared(a, b, up) {
  const [x, y] = [a, b].map((cell) => cell.textContent.trim());
  if (x === "–" || y === "–") return (x === "–") - (y === "–");
  const [m, n] = [x, y].map((text) => Number(text.replaceAll(",", "").replace("−", "-").split(" ")[0]));
  const order = Number.isNaN(m - n) ? x.localeCompare(y) : m - n;
  return up ? order : -order;
}

// What scrolls sideways by itself, a long equation or a wide table, can be reached by the keyboard, and scrolled with it.
const scrolling = ".bd-article :is(div.math, pre, .cell_output, .pst-scrollable-table-container)";
const reach = () => {
  for (const each of document.querySelectorAll(scrolling))
    if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
};
addEventListener("load", reach);
addEventListener("resize", reach);

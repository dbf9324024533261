// Drawing in the colours of the theme, at the resolution of the screen.

function colour(canvas, name) {
  return getComputedStyle(canvas).getPropertyValue(name).trim();
}

// Clears a canvas and fits its resolution to the screen. Coordinates are in CSS pixels.
function blank(canvas) {
  const density = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.font = "13px system-ui, sans-serif";
  return { context, width, height };
}

// An image of 28 × 28 probabilities of ink, in the theme's colour of text; the probability is its opacity.
function paintDigit(canvas, probabilities) {
  canvas.width = 28;
  canvas.height = 28;
  const context = canvas.getContext("2d");
  const image = context.createImageData(28, 28);
  probabilities.forEach((p, i) => {
    image.data[4 * i + 3] = 255 * p;
  });
  context.putImageData(image, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour(canvas, "--gm-ink");
  context.fillRect(0, 0, 28, 28);
}

// Calls `step` with the direction of an arrow key: to the right, and down.
function onArrowKeys(canvas, step) {
  canvas.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (!direction || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault(); // do not scroll the page
    step(...direction);
  });
}

// Calls `move` with the position of the pointer, from 0 to 1 across and down, while its button is pressed.
function draggable(canvas, move) {
  const moved = (event) => {
    const box = canvas.getBoundingClientRect();
    const across = limit((event.clientX - box.left) / box.width, 0, 1);
    move(across, limit((event.clientY - box.top) / box.height, 0, 1));
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId); // a drag may leave the canvas
    moved(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) moved(event);
  });
}

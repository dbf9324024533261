// An animation of GANs on the ring: the samples after each few rounds of training, and the number of modes found.

const PAUSE = 80; // milliseconds between two frames of the animation

const render = explorer(({ el, state, choose, chosen, ended }) => {
  const { games, centres, extent, near, rounds } = state;
  const names = Object.keys(games);
  const last = games[names[0]].modes.length - 1; // frames are numbered from 0
  const points = Object.fromEntries(names.map((name) => [name, fromBase64(games[name].points, Int8Array)]));
  const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
  const [end, margin] = [last * rounds, (last * rounds) / 30]; // of the axis of rounds
  let playing = false;

  const whichGame = choice("loss, and steps of critic : generator per round", names, (i) => choose({ game: names[i] }));
  const plane = element("canvas", { class: "gm-plane gm-still", role: "img" });
  const modesPlot = element("canvas", { class: "gm-plot gm-low", role: "img" });
  const button = element("button", { type: "button", class: "gm-button" });
  const round = slider("round", { min: 0, max: end, step: rounds }, (value) => go(value / rounds));
  const numbers = element("p", { class: "gm-numbers" });
  const side = element("div", { class: "gm-side" }, whichGame.row, button, round.row, numbers);
  side.append(element("div", { class: "gm-legend" }, "modes found, against the round"), modesPlot);
  el.append(element("div", { class: "gm-beside" }, plane, side));

  const currentFrame = () => limit(Math.round(chosen().round / rounds), 0, last);
  const show = (frame) => choose({ round: rounds * frame });

  // Shows a frame that the reader has chosen, and stops the animation.
  function go(frame) {
    playing = false;
    show(frame);
  }

  // Shows one frame after the other, until the last one or until the explorer is removed.
  function play(before = performance.now()) {
    requestAnimationFrame((now) => {
      if (!playing || ended.aborted || !el.isConnected) return;
      if (now - before < PAUSE) return play(before);
      const next = currentFrame() + 1;
      playing = next < last;
      show(next);
      play(now);
    });
  }

  button.addEventListener("click", () => {
    const frame = currentFrame();
    if (reducedMotion.matches) return go(frame === last ? 0 : frame + 1);
    playing = !playing;
    show(frame === last ? 0 : frame); // also changes the text of the button
    if (playing) play();
  });
  draggable(modesPlot, (across) => go(limit(Math.round((across * (end + 2 * margin) - margin) / rounds), 0, last)));
  reducedMotion.addEventListener("change", () => go(currentFrame()), { signal: ended });

  function paintPlane(name, frame) {
    const { context, width } = blank(plane);
    const pixel = (value) => ((value / extent + 1) / 2) * width;
    const size = points[name].length / (last + 1); // two coordinates per point
    const coordinates = Array.from(points[name].subarray(frame * size, (frame + 1) * size), (byte) => (byte / 127) * extent);
    context.lineWidth = 1.5;
    context.strokeStyle = colour(plane, "--gm-samples");
    for (const [x, y] of centres) {
      context.beginPath();
      context.arc(pixel(x), width - pixel(y), (near / extent / 2) * width, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 0.7;
    context.fillStyle = colour(plane, "--gm-images");
    for (let i = 0; i < size; i += 2)
      context.fillRect(pixel(coordinates[i]) - 1.5, width - pixel(coordinates[i + 1]) - 1.5, 3, 3);
    context.globalAlpha = 1;
  }

  return ({ game }) => {
    const frame = currentFrame();
    const { modes, near_percent: percent } = games[game];
    const words = `Round ${frame * rounds}: ${modes[frame]} of ${centres.length} modes found, ${percent[frame]}% of the samples near a mode`;
    paintPlane(game, frame);
    const plot = plotter(modesPlot, [-margin, end + margin], [0, centres.length + 0.5], 100);
    plot.horizontal(centres.length, String(centres.length));
    plot.curve(modes.map((_, i) => i * rounds), modes, "images");
    plot.dot(frame * rounds, modes[frame], "samples");
    whichGame.show(names.indexOf(game));
    button.textContent = reducedMotion.matches ? "next frame" : playing ? "pause" : frame === last ? "play from the start" : "play";
    numbers.textContent = `${words}.`;
    round.show(frame * rounds, words, String(frame * rounds));
    plane.setAttribute("aria-label", `Samples of ${game} in the plane, and eight circles on a ring. ${words}.`);
    modesPlot.setAttribute("aria-label", `Modes found by ${game} against the round, at most ${Math.max(...modes)}, with a dot at round ${frame * rounds}.`);
  };
});

export default { render };

// A game on the ring, played back: samples round by round, and how many heaps they reach.

const PAUSE = 80; // milliseconds between two looks, while it plays

const render = explorer(1, ({ el, state, choose, chosen, ended }) => {
  const { games, centres, extent, near, rounds } = state;
  const names = Object.keys(games);
  const last = games[names[0]].heaps.length - 1; // looks are numbered from 0
  const places = Object.fromEntries(names.map((name) => [name, unpacked(games[name].points, Int8Array)]));
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const [end, margin] = [last * rounds, (last * rounds) / 30]; // of the axis of rounds
  let playing = false;

  const which = choice("game, and steps of the critic to the generator's", names, (i) => choose({ game: names[i] }));
  const plane = element("canvas", { class: "gm-plane gm-still", role: "img" });
  const found = element("canvas", { class: "gm-plot gm-low", role: "img" });
  const button = element("button", { type: "button", class: "gm-button" });
  const round = slider("round", { min: 0, max: end, step: rounds }, (value) => go(value / rounds));
  const told = element("p", { class: "gm-numbers" });
  const side = element("div", { class: "gm-side" }, which.row, button, round.row, told);
  side.append(element("div", { class: "gm-legend" }, "heaps found, over the rounds"), found);
  el.append(element("div", { class: "gm-beside" }, plane, side));

  const look = () => limit(Math.round(chosen().round / rounds), 0, last);
  const show = (next) => choose({ round: rounds * next });

  // The reader takes a hand: what plays stops.
  function go(next) {
    playing = false;
    show(next);
  }

  // From one look to the next, until the end, or until the host or the page lets go of it.
  function play(before = performance.now()) {
    requestAnimationFrame((now) => {
      if (!playing || ended.aborted || !el.isConnected) return;
      if (now - before < PAUSE) return play(before);
      const next = look() + 1;
      playing = next < last;
      show(next);
      play(now);
    });
  }

  button.addEventListener("click", () => {
    const from = look() === last ? 0 : look();
    if (still.matches) return go(look() === last ? 0 : look() + 1);
    playing = !playing;
    show(from); // draws the button, too
    if (playing) play();
  });
  draggable(found, (across) => go(limit(Math.round((across * (end + 2 * margin) - margin) / rounds), 0, last)));
  still.addEventListener("change", () => go(look()), { signal: ended });

  function drawPlane(name, frame) {
    const { context, width } = blank(plane);
    const place = (value) => ((value / extent + 1) / 2) * width;
    const points = places[name].subarray(frame * 2 * state.samples, (frame + 1) * 2 * state.samples);
    context.lineWidth = 1.5;
    context.strokeStyle = colour(plane, "--gm-samples");
    for (const [x, y] of centres) {
      context.beginPath();
      context.arc(place(x), width - place(y), (near / extent / 2) * width, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 0.7;
    context.fillStyle = colour(plane, "--gm-images");
    for (let i = 0; i < points.length; i += 2)
      context.fillRect(place((points[i] / 127) * extent) - 1.5, width - place((points[i + 1] / 127) * extent) - 1.5, 3, 3);
    context.globalAlpha = 1;
  }

  return ({ game }) => {
    const frame = look();
    const { heaps, close } = games[game];
    const words = `Round ${frame * rounds}: ${heaps[frame]} of ${centres.length} heaps found, ${close[frame]}% of the samples near one`;
    drawPlane(game, frame);
    const line = plotter(found, [-margin, end + margin], [0, centres.length + 0.5], 100);
    line.level(centres.length, String(centres.length));
    line.stroke(heaps.map((_, i) => i * rounds), heaps, "images");
    line.dot(frame * rounds, heaps[frame], "samples");
    which.show(names.indexOf(game));
    button.textContent = still.matches ? "next look" : playing ? "pause" : frame === last ? "play from the start" : "play";
    told.textContent = `${words}.`;
    round.show(frame * rounds, words, String(frame * rounds));
    plane.setAttribute("aria-label", `Samples of ${game} in the plane, and eight circles on a ring. ${words}.`);
    found.setAttribute("aria-label", `Heaps found by ${game} over the rounds, at most ${Math.max(...heaps)}, with a dot at round ${frame * rounds}.`);
  };
});

export default { render };

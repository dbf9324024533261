// Three critics of images and samples on a line: the best of slope 1, one whose weights are clipped, one with a penalty.

const render = explorer(1, ({ el, state, choose }) => {
  const { thetas, sd, clips, weights } = state;
  const rows = Object.fromEntries(Object.entries(state.curves).map(([kind, packed]) => [kind, layer(packed)]));
  const points = grid(state.grid);
  const step = points[1] - points[0];
  const middles = points.slice(1).map((x) => x - step / 2);
  const [left, right, bottom] = [state.grid.lowest, state.grid.highest, -1.7];
  const names = { best: "the best", clipped: "clipped", penalty: "with the penalty" };

  const scores = element("canvas", { class: "gm-plot", role: "img" });
  const slopes = element("canvas", { class: "gm-plot gm-low", role: "img" });
  const powers = weights.map(Math.log10);
  const sliders = {
    theta: slider("samples at θ", evenly(thetas), (theta) => choose({ theta: nearest(thetas, theta) })),
    clip: slider("bound c of clipped weights", evenly(clips), (clip) => choose({ clip: nearest(clips, clip) })),
    weight: slider("weight λ of the penalty", evenly(powers), (power) => choose({ weight: nearest(weights, 10 ** power) })),
  };
  const cells = Object.fromEntries(Object.keys(names).map((kind) => [kind, [element("td"), element("td")]]));
  const head = ["critic", "tells apart by", "slope at the samples"].map((name) => element("th", { scope: "col" }, name));
  const table = element("table", { class: "gm-table" }, element("thead", {}, element("tr", {}, ...head)));
  const body = Object.entries(cells).map(([kind, each]) =>
    element("tr", {}, element("th", { scope: "row" }, names[kind] + (kind === "best" ? ": W₁" : "")), ...each),
  );
  table.append(element("tbody", {}, ...body));
  el.append(
    legend({ images: "images p", samples: "samples q", ...names }),
    scores,
    ...Object.values(sliders).map((each) => each.row),
    table,
    element("div", { class: "gm-legend" }, "slope of each critic: what a sample at x is told"),
    slopes,
  );
  draggable(scores, (across) => choose({ theta: nearest(thetas, left + across * (right - left)) }));

  // The scores that a critic has learnt on this leash, one of many.
  function learnt(kind, leash, theta) {
    const row = leash * thetas.length + thetas.indexOf(theta);
    return Array.from(rows[kind].weights.subarray(row * points.length, (row + 1) * points.length));
  }

  // The mean slope where samples are, from slopes between points.
  function felt(logQ, slope) {
    return slope.reduce((sum, each, i) => sum + (each * (Math.exp(logQ[i]) + Math.exp(logQ[i + 1]))) / 2, 0);
  }

  return (chosen) => {
    const theta = nearest(thetas, chosen.theta); // a kernel may choose any number
    const [clip, weight] = [nearest(clips, chosen.clip), nearest(weights, chosen.weight)];
    const [p, q] = [logMasses(points, 0, sd), logMasses(points, theta, sd)];
    const critics = {
      clipped: learnt("clipped", clips.indexOf(clip), theta),
      penalty: learnt("penalty", weights.indexOf(weight), theta),
      best: optimalCritic(p, q, points),
    };

    const high = Math.max(...p, ...q);
    const upper = plotter(scores, [left, right], [bottom, 1.6]);
    const lower = plotter(slopes, [left, right], [-2.3, 0.7]);
    for (const score of [1, 0, -1]) upper.level(score, `score ${inWords(score, 0)}`);
    for (const slope of [0, -1, -2]) lower.level(slope, `slope ${inWords(slope, 0)}`);
    Object.entries({ images: p, samples: q }).forEach(([name, masses]) =>
      upper.stroke(points, masses.map((log) => bottom + Math.exp(log - high)), name, true),
    );
    const said = Object.entries(critics).map(([kind, f]) => {
      const slope = middles.map((_, i) => (f[i + 1] - f[i]) / step);
      const apart = inWords(expectation(p, f) - expectation(q, f), 3);
      const told = inWords(felt(q, slope), 3);
      upper.stroke(points, f, kind);
      lower.stroke(middles, slope, kind);
      cells[kind][0].textContent = apart;
      cells[kind][1].textContent = told;
      return `${names[kind]}: tells apart by ${apart}, slope ${told} at the samples`;
    });
    const words = said.join("; ");
    sliders.theta.show(theta, `${inWords(theta)}. ${words}`);
    sliders.clip.show(clip, `${inWords(clip)}. ${said[0]}`);
    sliders.weight.show(Math.log10(weight), `${weight}. ${said[1]}`, String(weight));
    scores.setAttribute("aria-label", `Scores of three critics, images around 0, samples around ${inWords(theta)}. ${words}.`);
    slopes.setAttribute("aria-label", `Slopes of the three critics along the line, with samples around ${inWords(theta)}.`);
  };
});

// A slider's range over stops at even distances.
function evenly(stops) {
  return { min: stops[0], max: stops.at(-1), step: stops[1] - stops[0] };
}

function nearest(stops, value) {
  return stops.reduce((best, stop) => (Math.abs(stop - value) < Math.abs(best - value) ? stop : best));
}

export default { render };

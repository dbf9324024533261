// Three critics of images and samples on a line: the optimal one of slope at most 1, one with clipping, one with a penalty.

const render = explorer(({ el, state, choose }) => {
  const { points, thetas, sd, clips, weights } = state;
  const scoresOf = Object.fromEntries(Object.entries(state.scores).map(([kind, stored]) => [kind, dequantise(stored).weights]));
  const step = points[1] - points[0];
  const middles = points.slice(1).map((x) => x - step / 2);
  const [left, right, bottom] = [points[0], points.at(-1), -1.7];
  const names = { optimal: "optimal critic", clipped: "weight clipping", penalty: "gradient penalty" };

  const scores = element("canvas", { class: "gm-plot", role: "img" });
  const slopes = element("canvas", { class: "gm-plot gm-low", role: "img" });
  const powers = weights.map(Math.log10);
  const sliders = {
    theta: slider("mean of the samples, θ", evenly(thetas), (theta) => choose({ theta: nearest(thetas, theta) })),
    clip: slider("clipping bound c", evenly(clips), (clip) => choose({ clip: nearest(clips, clip) })),
    weight: slider("penalty weight λ", evenly(powers), (power) => choose({ weight: nearest(weights, 10 ** power) })),
  };
  const cells = Object.fromEntries(Object.keys(names).map((kind) => [kind, [element("td"), element("td")]]));
  const titles = ["critic", "difference of mean scores", "mean slope at the samples"];
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  const rows = Object.entries(cells).map(([kind, each]) =>
    element("tr", {}, element("th", { scope: "row" }, names[kind] + (kind === "optimal" ? ": W₁" : "")), ...each),
  );
  el.append(
    legend({ images: "images p", samples: "samples q", ...names }),
    scores,
    ...Object.values(sliders).map((each) => each.row),
    element("table", { class: "gm-table" }, element("thead", {}, head), element("tbody", {}, ...rows)),
    element("div", { class: "gm-legend" }, "slope of each critic at x: the gradient for a sample at x"),
    slopes,
  );
  draggable(scores, (across) => choose({ theta: nearest(thetas, left + across * (right - left)) }));

  // The scores of a trained critic; `setting` is the index of its clipping bound or penalty weight.
  function trained(kind, setting, theta) {
    const row = setting * thetas.length + thetas.indexOf(theta);
    return Array.from(scoresOf[kind].subarray(row * points.length, (row + 1) * points.length));
  }

  // The mean over the samples of slopes between neighbouring points.
  function meanSlope(logQ, slope) {
    return slope.reduce((sum, each, i) => sum + (each * (Math.exp(logQ[i]) + Math.exp(logQ[i + 1]))) / 2, 0);
  }

  return (chosen) => {
    const theta = nearest(thetas, chosen.theta); // a kernel may choose any number
    const [clip, weight] = [nearest(clips, chosen.clip), nearest(weights, chosen.weight)];
    const [p, q] = [logMasses(points, 0, sd), logMasses(points, theta, sd)];
    const critics = {
      clipped: trained("clipped", clips.indexOf(clip), theta),
      penalty: trained("penalty", weights.indexOf(weight), theta),
      optimal: optimalCritic(p, q, points),
    };

    const peak = Math.max(...p, ...q);
    const upper = plotter(scores, [left, right], [bottom, 1.6]);
    const lower = plotter(slopes, [left, right], [-2.3, 0.7]);
    for (const score of [1, 0, -1]) upper.horizontal(score, `score ${format(score, 0)}`);
    for (const slope of [0, -1, -2]) lower.horizontal(slope, `slope ${format(slope, 0)}`);
    Object.entries({ images: p, samples: q }).forEach(([name, masses]) =>
      upper.curve(points, masses.map((log) => bottom + Math.exp(log - peak)), name, true),
    );
    const descriptions = Object.entries(critics).map(([kind, f]) => {
      const slope = middles.map((_, i) => (f[i + 1] - f[i]) / step);
      const difference = format(expectation(p, f) - expectation(q, f), 3);
      const atSamples = format(meanSlope(q, slope), 3);
      upper.curve(points, f, kind);
      lower.curve(middles, slope, kind);
      cells[kind][0].textContent = difference;
      cells[kind][1].textContent = atSamples;
      return `${names[kind]}: difference of mean scores ${difference}, mean slope at the samples ${atSamples}`;
    });
    const all = descriptions.join("; ");
    sliders.theta.show(theta, `${format(theta)}. ${all}`);
    sliders.clip.show(clip, `${format(clip)}. ${descriptions[0]}`);
    sliders.weight.show(Math.log10(weight), `${weight}. ${descriptions[1]}`, String(weight));
    scores.setAttribute("aria-label", `Scores of three critics; mean of the images 0, of the samples ${format(theta)}. ${all}.`);
    slopes.setAttribute("aria-label", `Slopes of the three critics against x; mean of the samples ${format(theta)}.`);
  };
});

// A slider's range over equally spaced values.
function evenly(values) {
  return { min: values[0], max: values.at(-1), step: values[1] - values[0] };
}

function nearest(values, target) {
  return values.reduce((best, value) => (Math.abs(value - target) < Math.abs(best - target) ? value : best));
}

export default { render };

// Two Gaussians that move apart: what the best discriminator says of each place, and how far apart two measures see them.

const render = explorer(1, ({ el, state, choose }) => {
  const points = grid(state.grid);
  const [reach, ln2] = [state.reach, Math.log(2)];
  const shown = 1.25 * reach; // of the line, to either side
  let curves = { key: "" };

  const opponents = element("canvas", { class: "gm-plot", role: "img" });
  const measures = element("canvas", { class: "gm-plot gm-low", role: "img" });
  const widths = { min: state.narrowest, max: state.widest, step: 0.01 };
  const sliders = {
    theta: slider("samples at θ", { min: -reach, max: reach, step: 0.01 }, (theta) => choose({ theta })),
    images: slider("width of the images", widths, (images) => choose({ images })),
    samples: slider("width of the samples", widths, (samples) => choose({ samples })),
  };
  const told = element("p", { class: "gm-numbers" });
  el.append(
    legend({ images: "images p", samples: "samples q", opponent: "best discriminator D*" }),
    opponents,
    ...Object.values(sliders).map((each) => each.row),
    told,
    legend({ js: "JS in nats, over θ", w1: "W₁, over θ" }),
    measures,
  );
  draggable(opponents, (across) => choose({ theta: limit(Math.round((2 * across - 1) * shown * 100) / 100, -reach, reach) }));

  return ({ theta, images, samples }) => {
    const [p, q] = [logMasses(points, 0, images), logMasses(points, theta, samples)];
    const [js, w1] = [jensenShannon(p, q), wasserstein(p, q, points)];
    const best = optimalDiscriminator(p, q);

    const inside = points.map((x, i) => i).filter((i) => Math.abs(points[i]) <= shown);
    const xs = inside.map((i) => points[i]);
    const high = Math.max(...p, ...q); // of a logarithm: both on one scale, the higher one of height 1
    const upper = plotter(opponents, [-shown, shown], [0, 1]);
    upper.level(0.5, "D = ½");
    upper.stroke(xs, inside.map((i) => Math.exp(p[i] - high)), "images", true);
    upper.stroke(xs, inside.map((i) => Math.exp(q[i] - high)), "samples", true);
    upper.stroke(xs, inside.map((i) => best[i]), "opponent");

    if (curves.key !== `${images} ${samples}`) {
      const thetas = Array.from({ length: 81 }, (_, i) => reach * (i / 40 - 1));
      const moved = thetas.map((place) => logMasses(points, place, samples));
      curves = {
        key: `${images} ${samples}`,
        thetas,
        js: moved.map((each) => jensenShannon(p, each)),
        w1: moved.map((each) => wasserstein(p, each, points)),
      };
    }
    const lower = plotter(measures, [-shown, shown], [0, 1.05 * reach]);
    lower.level(ln2, "ln 2");
    for (const [name, value] of Object.entries({ w1, js })) {
      lower.stroke(curves.thetas, curves[name], name);
      lower.dot(theta, value, name);
    }

    const words = `JS ${inWords(js, 3)} nats of at most ${inWords(ln2, 3)}; W₁ ${inWords(w1, 3)}`;
    told.textContent = words;
    Object.entries({ theta, images, samples }).forEach(([name, value]) =>
      sliders[name].show(value, `${inWords(value)}. ${words}`),
    );
    opponents.setAttribute(
      "aria-label",
      `Images at 0 of width ${inWords(images)}, samples at ${inWords(theta)} of width ${inWords(samples)}; ` +
        `half-way between them D* is ${inWords(best[nearest(theta / 2)])}.`,
    );
    measures.setAttribute("aria-label", `JS and W₁ as the samples move, with a dot at θ = ${inWords(theta)}: ${words}.`);
  };

  function nearest(x) {
    return Math.round(((x - state.grid.lowest) / (state.grid.highest - state.grid.lowest)) * (state.grid.count - 1));
  }
});

export default { render };

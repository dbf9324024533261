// Two Gaussians on a line, with the optimal discriminator; JS and W₁ against the mean of the samples.

const render = explorer(({ el, state, choose }) => {
  const { points, max_theta: maxTheta, min_sd: min, max_sd: max } = state;
  const ln2 = Math.log(2);
  const edge = 1.25 * maxTheta; // both plots run from -edge to edge
  let curves = { key: "" };

  const densities = element("canvas", { class: "gm-plot", role: "img" });
  const distances = element("canvas", { class: "gm-plot gm-low", role: "img" });
  const sliders = {
    theta: slider("mean of the samples, θ", { min: -maxTheta, max: maxTheta, step: 0.01 }, (theta) => choose({ theta })),
    images: slider("standard deviation of the images", { min, max, step: 0.01 }, (images) => choose({ images })),
    samples: slider("standard deviation of the samples", { min, max, step: 0.01 }, (samples) => choose({ samples })),
  };
  const values = element("p", { class: "gm-numbers" });
  el.append(
    legend({ images: "images p", samples: "samples q", discriminator: "optimal discriminator D*" }),
    densities,
    ...Object.values(sliders).map((each) => each.row),
    values,
    legend({ js: "JS in nats, against θ", w1: "W₁, against θ" }),
    distances,
  );
  draggable(densities, (across) => {
    choose({ theta: limit(Math.round((2 * across - 1) * edge * 100) / 100, -maxTheta, maxTheta) });
  });

  return ({ theta, images, samples }) => {
    const [p, q] = [logMasses(points, 0, images), logMasses(points, theta, samples)];
    const [js, w1] = [jensenShannon(p, q), wasserstein(p, q, points)];
    const discriminator = optimalDiscriminator(p, q);

    const visible = points.map((_, i) => i).filter((i) => Math.abs(points[i]) <= edge);
    const xs = visible.map((i) => points[i]);
    const peak = Math.max(...p, ...q); // both densities on one scale, the higher one of height 1
    const upper = plotter(densities, [-edge, edge], [0, 1]);
    upper.horizontal(0.5, "D = ½");
    upper.curve(xs, visible.map((i) => Math.exp(p[i] - peak)), "images", true);
    upper.curve(xs, visible.map((i) => Math.exp(q[i] - peak)), "samples", true);
    upper.curve(xs, visible.map((i) => discriminator[i]), "discriminator");

    if (curves.key !== `${images} ${samples}`) {
      const thetas = Array.from({ length: 81 }, (_, i) => maxTheta * (i / 40 - 1));
      const moved = thetas.map((mean) => logMasses(points, mean, samples));
      curves = {
        key: `${images} ${samples}`,
        thetas,
        js: moved.map((each) => jensenShannon(p, each)),
        w1: moved.map((each) => wasserstein(p, each, points)),
      };
    }
    const lower = plotter(distances, [-edge, edge], [0, 1.05 * maxTheta]);
    lower.horizontal(ln2, "ln 2");
    for (const [name, value] of Object.entries({ w1, js })) {
      lower.curve(curves.thetas, curves[name], name);
      lower.dot(theta, value, name);
    }

    const words = `JS ${format(js, 3)} nats of at most ${format(ln2, 3)}; W₁ ${format(w1, 3)}`;
    values.textContent = words;
    Object.entries({ theta, images, samples }).forEach(([name, value]) =>
      sliders[name].show(value, `${format(value)}. ${words}`),
    );
    const midpoint = points.findIndex((x) => x > theta / 2 - 0.01); // points are 0.02 apart
    densities.setAttribute(
      "aria-label",
      `Images: mean 0, standard deviation ${format(images)}. Samples: mean ${format(theta)}, standard deviation ` +
        `${format(samples)}. Half-way between the means D* is ${format(discriminator[midpoint])}.`,
    );
    distances.setAttribute("aria-label", `JS and W₁ against the mean of the samples, with a dot at θ = ${format(theta)}: ${words}.`);
  };
});

export default { render };

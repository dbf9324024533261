// Divergences of distributions on a fine grid of points, as in gmlib/toy/discrete.py, from logarithms of probabilities.

// The logarithms of a Gaussian's probabilities on the grid: finite also where the probabilities underflow to 0.
function logMasses(points, mean, sd) {
  const logs = points.map((x) => -0.5 * ((x - mean) / sd) ** 2);
  const total = Math.log(logs.reduce((sum, log) => sum + Math.exp(log), 0));
  return logs.map((log) => log - total);
}

// D* = p / (p + q), the sigmoid of the log-odds.
function optimalDiscriminator(logP, logQ) {
  return logP.map((log, i) => 1 / (1 + Math.exp(logQ[i] - log)));
}

// Half the sum of the KL divergences from the mixture m, in nats.
function jensenShannon(logP, logQ) {
  let sum = 0;
  logP.forEach((log, i) => {
    const [p, q] = [Math.exp(log), Math.exp(logQ[i])];
    const m = (p + q) / 2;
    if (p > 0) sum += (p * Math.log(p / m)) / 2;
    if (q > 0) sum += (q * Math.log(q / m)) / 2;
  });
  return sum;
}

// The difference of the cumulative distribution functions, F_p - F_q, between neighbouring points.
function cdfDifference(logP, logQ) {
  let difference = 0;
  return logP.slice(1).map((_, i) => (difference += Math.exp(logP[i]) - Math.exp(logQ[i])));
}

// W₁: the integral of |F_p - F_q|.
function wasserstein(logP, logQ, points) {
  return cdfDifference(logP, logQ).reduce((sum, difference, i) => sum + Math.abs(difference) * (points[i + 1] - points[i]), 0);
}

// The critic of slope at most 1 with the largest difference of mean scores: it falls where F_p > F_q. Its mean over p and q is 0.
function optimalCritic(logP, logQ, points) {
  const scores = [0];
  cdfDifference(logP, logQ).forEach((difference, i) => {
    const slope = Math.abs(difference) < 5e-13 ? 0 : -Math.sign(difference); // smaller differences are rounding errors
    scores.push(scores[i] + slope * (points[i + 1] - points[i]));
  });
  const mean = (expectation(logP, scores) + expectation(logQ, scores)) / 2;
  return scores.map((score) => score - mean);
}

function expectation(logP, values) {
  return logP.reduce((sum, log, i) => sum + Math.exp(log) * values[i], 0);
}

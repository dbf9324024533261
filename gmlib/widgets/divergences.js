// Divergences on a fine grid, as in gmlib/toy/discrete.py, from logarithms of probabilities.

function grid({ lowest, highest, count }) {
  return Array.from({ length: count }, (_, i) => lowest + ((highest - lowest) * i) / (count - 1));
}

// A Gaussian on the grid: its logarithms stay finite where its probabilities vanish.
function logMasses(points, mean, sd) {
  const logs = points.map((x) => -0.5 * ((x - mean) / sd) ** 2);
  const total = Math.log(logs.reduce((sum, log) => sum + Math.exp(log), 0));
  return logs.map((log) => log - total);
}

// D* = p / (p + q), the sigmoid of the log-odds.
function optimalDiscriminator(logP, logQ) {
  return logP.map((log, i) => 1 / (1 + Math.exp(logQ[i] - log)));
}

// Half the sum of the divergences from the mixture, in nats.
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

// What has to cross each place between two points, to the left if it is positive: F_p - F_q.
function crossings(logP, logQ) {
  let crossing = 0;
  return logP.slice(1).map((_, i) => (crossing += Math.exp(logP[i]) - Math.exp(logQ[i])));
}

// What has to cross each place, summed over all places.
function wasserstein(logP, logQ, points) {
  return crossings(logP, logQ).reduce((sum, crossing, i) => sum + Math.abs(crossing) * (points[i + 1] - points[i]), 0);
}

// The critic of slope at most 1 that tells them apart best: it falls where mass has to go left. Its mean over both is 0.
function optimalCritic(logP, logQ, points) {
  const scores = [0];
  crossings(logP, logQ).forEach((crossing, i) => {
    const slope = Math.abs(crossing) < 5e-13 ? 0 : -Math.sign(crossing); // a rounding error is no slope
    scores.push(scores[i] + slope * (points[i + 1] - points[i]));
  });
  const mean = (expectation(logP, scores) + expectation(logQ, scores)) / 2;
  return scores.map((score) => score - mean);
}

function expectation(logP, values) {
  return logP.reduce((sum, log, i) => sum + Math.exp(log) * values[i], 0);
}

// Pixels as coins: what falls where a uniform number meets log-odds, and how surprising that was.

function sigmoid(logit) {
  return 1 / (1 + Math.exp(-logit));
}

// A pixel is ink where its uniform lies below its probability.
function thrown(uniforms, logits) {
  return Array.from(uniforms, (u, i) => Number(u < sigmoid(logits[i])));
}

// -log p of each pixel, in nats.
function surprises(x, logits) {
  return x.map((ink, i) => Math.log1p(Math.exp(ink ? -logits[i] : logits[i])));
}

// Sums of the first 1, 2, 3 ... numbers.
function sums(numbers) {
  let sum = 0;
  return numbers.map((number) => (sum += number));
}

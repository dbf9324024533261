// Pixels as Bernoulli variables with given logits.

function sigmoid(logit) {
  return 1 / (1 + Math.exp(-logit));
}

// A pixel is ink where its uniform number is below its probability.
function samplePixels(uniforms, logits) {
  return Array.from(uniforms, (u, i) => Number(u < sigmoid(logits[i])));
}

// -log p of each pixel, in nats.
function surprises(x, logits) {
  return x.map((ink, i) => Math.log1p(Math.exp(ink ? -logits[i] : logits[i])));
}

function cumulativeSums(numbers) {
  let sum = 0;
  return numbers.map((number) => (sum += number));
}

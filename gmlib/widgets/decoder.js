// p(x|z) of a VAE as in gmlib/models/mlp.py, from the weights that decoder.py quantised.

function dequantise({ weights, scales, biases }) {
  const integers = fromBase64(weights, Int16Array);
  const inputs = integers.length / scales.length;
  return { biases, inputs, weights: Float32Array.from(integers, (k, i) => k * scales[Math.floor(i / inputs)]) };
}

function linear({ weights, biases, inputs }, x) {
  return biases.map((bias, output) => {
    let sum = bias;
    for (let i = 0; i < inputs; i++) sum += weights[output * inputs + i] * x[i];
    return sum;
  });
}

// Returns the function from a latent, and a label if there are classes, to the probability of ink at 784 pixels.
function decoder({ layers, classes }) {
  const [first, ...others] = layers.map(dequantise);
  return (z, label = null) => {
    const oneHot = Array.from({ length: classes }, (_, y) => Number(y === label));
    let x = linear(first, [...z, ...oneHot]);
    for (const other of others) x = linear(other, x.map((value) => Math.max(value, 0)));
    return x.map((logit) => 1 / (1 + Math.exp(-logit)));
  };
}

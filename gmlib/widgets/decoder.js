// p(x|z) of a VAE as in gmlib/models/mlp.py, from the weights that decoder.py packed.

function layer({ weights, scales, biases }) {
  const whole = unpacked(weights, Int16Array);
  const inputs = whole.length / scales.length;
  return { biases, inputs, weights: Float32Array.from(whole, (w, i) => w * scales[Math.floor(i / inputs)]) };
}

function linear({ weights, biases, inputs }, x) {
  return biases.map((bias, output) => {
    let sum = bias;
    for (let i = 0; i < inputs; i++) sum += weights[output * inputs + i] * x[i];
    return sum;
  });
}

// Gives the function from a latent, and a label if there are classes, to the probability of ink at 784 pixels.
function decoder({ layers, classes }) {
  const [first, ...others] = layers.map(layer);
  return (z, label = null) => {
    const which = Array.from({ length: classes }, (_, y) => Number(y === label));
    let x = linear(first, [...z, ...which]);
    for (const other of others) x = linear(other, x.map((value) => Math.max(value, 0)));
    return x.map((logit) => 1 / (1 + Math.exp(-logit)));
  };
}

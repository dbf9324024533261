// p(x|z) of a VAE as in gmlib/models/mlp.py, from the weights that decoder.py packed.

function unpacked({ weights, scales, biases }) {
  const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
  const whole = new Int16Array(bytes.buffer); // low byte first, as on every machine that shows pages
  const inputs = whole.length / biases.length;
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
  const [first, ...others] = layers.map(unpacked);
  return (z, label = null) => {
    const which = Array.from({ length: classes }, (_, y) => Number(y === label));
    let x = linear(first, [...z, ...which]);
    for (const layer of others) x = linear(layer, x.map((value) => Math.max(value, 0)));
    return x.map((logit) => 1 / (1 + Math.exp(-logit)));
  };
}

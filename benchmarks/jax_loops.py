"""The MLP VAE and GAN in JAX: the same networks with the same initial weights; all steps of a call are one compiled scan.

For speed: data on the device, no Python between steps, JAX's fastest random generator, and batch norm without running
statistics.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from torch import nn

from benchmarks.timing import Advance
from gmlib.data import ImageDataset
from gmlib.experiments.recipe import GANRecipe, VAERecipe
from gmlib.experiments.run import networks_of

Kinds = tuple[tuple[str, float], ...]  # of the layers, each with the one number that it may have
Weights = list[dict[str, Any]]


def layers_and_weights(network: nn.Module) -> tuple[Kinds, Weights]:
    """Return the kinds of a network's layers in order, and their weights."""
    kinds: list[tuple[str, float]] = []
    weights: Weights = []
    for module in network.modules():
        if list(module.children()) or isinstance(module, nn.Flatten):
            continue
        if isinstance(module, nn.Dropout):
            kinds.append(("dropout", module.p))
        elif isinstance(module, nn.BatchNorm1d):
            kinds.append(("norm", module.eps))
        elif isinstance(module, nn.Linear):
            kinds.append(("linear", 0.0))
        elif isinstance(module, nn.ReLU | nn.LeakyReLU):
            kinds.append(("rectifier", getattr(module, "negative_slope", 0.0)))
        elif isinstance(module, nn.Tanh):
            kinds.append(("tanh", 0.0))
        else:
            raise ValueError(f"got a layer {module}, expected those of an MLP: the comparison has no others")
        weights.append({name: jnp.asarray(value.detach().numpy()) for name, value in module.named_parameters()})
    return tuple(kinds), weights


def apply(kinds: Kinds, weights: Weights, h: Any, key: Any = None) -> Any:
    """Return the output of a network in training mode; without a key, nothing is dropped."""
    for (kind, number), own in zip(kinds, weights, strict=True):
        if kind == "linear":
            h = h @ own["weight"].T + own.get("bias", 0.0)
        elif kind == "norm":
            h = (h - h.mean(0)) * jax.lax.rsqrt(h.var(0) + number) * own["weight"] + own["bias"]
        elif kind == "rectifier":
            h = jnp.where(h > 0, h, number * h)
        elif kind == "tanh":
            h = jnp.tanh(h)
        elif key is not None:
            key, mine = jax.random.split(key)
            h = jnp.where(jax.random.bits(mine, h.shape, "uint8") < round(256 * (1 - number)), h / (1 - number), 0.0)
    return h


def adam(tree: Any, gradients: Any, moments: Any, step: Any, lr: float, betas: tuple[float, float]) -> tuple[Any, Any]:
    """Return weights and moments after a step of Adam."""
    (a, b), (mean, square) = betas, moments
    mean = jax.tree.map(lambda m, g: a * m + (1 - a) * g, mean, gradients)
    square = jax.tree.map(lambda v, g: b * v + (1 - b) * g * g, square, gradients)
    rate, scale = lr / (1 - a ** (step + 1)), 1 / (1 - b ** (step + 1))
    tree = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(scale * v) + 1e-8), tree, mean, square)
    return tree, (mean, square)


def negative_elbo(kinds: dict[str, Kinds], weights: dict[str, Weights], x: Any, eps: Any) -> Any:
    """Return a VAE's loss: minus the ELBO, in nats per image."""
    mu, logvar = jnp.split(apply(kinds["encoder"], weights["encoder"], x), 2, 1)
    logits = apply(kinds["decoder"], weights["decoder"], mu + jnp.exp(0.5 * logvar) * eps)
    kl = 0.5 * (mu**2 + jnp.exp(logvar) - 1 - logvar).sum(1)
    return (kl - (x * logits - jax.nn.softplus(logits)).sum(1)).mean()


def vae(recipe: VAERecipe, train: ImageDataset) -> Advance:
    """Return the training of a recipe's VAE in JAX."""
    network = recipe.build()
    parts = {"encoder": layers_and_weights(network.encoder), "decoder": layers_and_weights(network.decoder.logits)}
    kinds = {name: part[0] for name, part in parts.items()}
    images, batch = jnp.asarray(train.images.flatten(1).numpy()), recipe.batch_size

    def step(carry: Any, index: Any) -> tuple[Any, Any]:
        weights, moments, key, count = carry
        key, first, second = jax.random.split(key, 3)
        x = (jax.random.bits(first, (batch, 784), "uint8") < images[index]).astype(jnp.float32)
        eps = jax.random.normal(second, (batch, recipe.latent_dim))
        loss, gradients = jax.value_and_grad(lambda w: negative_elbo(kinds, w, x, eps))(weights)
        weights, moments = adam(weights, gradients, moments, count, recipe.lr, (0.9, 0.999))
        return (weights, moments, key, count + 1), loss

    return _scanned(step, {name: part[1] for name, part in parts.items()}, len(images), batch)


def gan(recipe: GANRecipe, train: ImageDataset) -> Advance:
    """Return the training of a recipe's GAN in JAX, with an average of the generator's weights."""
    networks = networks_of(recipe.build())
    (g, generator), (d, critic) = layers_and_weights(networks["generator"]), layers_and_weights(networks["critic"])
    images, batch, betas = jnp.asarray(train.images.flatten(1).numpy()), recipe.batch_size, recipe.betas or (0.9, 0.999)
    softplus = jax.nn.softplus

    def score(weights: Weights, pixels: Any, key: Any) -> Any:
        return apply(d, weights, pixels, key)[:, 0]

    def step(carry: Any, index: Any) -> tuple[Any, Any]:
        both, (of_g, of_d), key, count = carry
        keys = jax.random.split(key, 5)
        real = images[index].astype(jnp.float32) / 127.5 - 1
        fake = apply(g, both["generator"], jax.random.normal(keys[1], (batch, recipe.latent_dim)))

        def critic_loss(weights: Weights) -> Any:
            scores = score(weights, jnp.concatenate([real, fake]), keys[2])
            return softplus(-scores[:batch]).mean() + softplus(scores[batch:]).mean()

        lost, slopes = jax.value_and_grad(critic_loss)(both["critic"])
        judge, of_d = adam(both["critic"], slopes, of_d, count, recipe.lr, betas)
        z = jax.random.normal(keys[3], (batch, recipe.latent_dim))
        loss, slopes = jax.value_and_grad(lambda w: softplus(-score(judge, apply(g, w, z), keys[4])).mean())(
            both["generator"]
        )
        maker, of_g = adam(both["generator"], slopes, of_g, count, recipe.lr, betas)
        average = jax.tree.map(lambda a, w: recipe.ema * a + (1 - recipe.ema) * w, both["average"], maker)
        both = {"generator": maker, "critic": judge, "average": average}
        return (both, (of_g, of_d), keys[0], count + 1), lost + loss

    both = {"generator": generator, "critic": critic, "average": jax.tree.map(jnp.copy, generator)}
    nothing = [(jax.tree.map(jnp.zeros_like, w), jax.tree.map(jnp.zeros_like, w)) for w in (generator, critic)]
    return _scanned(step, both, len(images), batch, tuple(nothing))


def _scanned(step: Any, weights: Any, count: int, batch: int, moments: Any = None) -> Advance:
    """Return a function that runs many steps in one call; each number of steps is compiled once."""
    moments = moments or (jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights))
    carry = (weights, moments, jax.random.key(0, impl="unsafe_rbg"), 0)
    run = jax.jit(lambda carry, index: jax.lax.scan(step, carry, index), donate_argnums=0)

    def advance(steps: int) -> float:
        nonlocal carry
        carry, order = (*carry[:2], jax.random.split(carry[2])[0], carry[3]), jax.random.key(int(carry[3]))
        whole = [
            jax.random.permutation(key, count) for key in jax.random.split(order, math.ceil(steps * batch / count))
        ]
        carry, losses = run(carry, jnp.concatenate(whole)[: steps * batch].reshape(steps, batch))
        return float(losses.mean())  # waits

    return advance

"""Networks only: no loss is hidden in them, and no optimiser."""

from gmlib.models.mlp import MLPDecoder, MLPEncoder
from gmlib.models.vae import VAE, BernoulliDecoder

__all__ = ["VAE", "BernoulliDecoder", "MLPDecoder", "MLPEncoder"]

"""Networks only: no loss is hidden in them, and no optimiser."""

from gmlib.models.conv import ConvDecoder, ConvEncoder
from gmlib.models.mlp import MLPDecoder, MLPEncoder
from gmlib.models.vae import VAE, BernoulliDecoder

__all__ = ["VAE", "BernoulliDecoder", "ConvDecoder", "ConvEncoder", "MLPDecoder", "MLPEncoder"]

"""Networks only: no loss is hidden in them, and no optimiser."""

from gmlib.models.causal import CausalNetwork, gated_stacks, plain_stack, receptive_field
from gmlib.models.conv import ConvDecoder, ConvEncoder
from gmlib.models.dcgan import DCCritic, DCGenerator
from gmlib.models.gan import GAN
from gmlib.models.mlp import MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.models.pixel import NoLatent, PixelDecoder
from gmlib.models.vae import VAE, BernoulliDecoder
from gmlib.models.wavefront import draw_naively, draw_pixels, skew

__all__ = [
    "GAN",
    "VAE",
    "BernoulliDecoder",
    "CausalNetwork",
    "ConvDecoder",
    "ConvEncoder",
    "DCCritic",
    "DCGenerator",
    "MLPCritic",
    "MLPDecoder",
    "MLPEncoder",
    "MLPGenerator",
    "NoLatent",
    "PixelDecoder",
    "draw_naively",
    "draw_pixels",
    "gated_stacks",
    "plain_stack",
    "receptive_field",
    "skew",
]

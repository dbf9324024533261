"""Networks, without losses or optimisers, and the two models that sample: `VAE` and `GAN`."""

from gmlib.models.classifier import Classifier
from gmlib.models.conv import ConvDecoder, ConvEncoder
from gmlib.models.dcgan import DCCritic, DCGenerator
from gmlib.models.gan import GAN
from gmlib.models.mlp import MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.models.pixelcnn import CausalNetwork, GatedPixelCNN, MaskedConv2d, PixelCNN, receptive_field
from gmlib.models.pixelcnn_sampling import sample_sequentially, sample_wavefront, skew
from gmlib.models.pixelvae import NoLatent, PixelDecoder
from gmlib.models.residual import ResidualBlock, ResidualDecoder, ResidualEncoder
from gmlib.models.vae import VAE, BernoulliDecoder

__all__ = [
    "GAN",
    "VAE",
    "BernoulliDecoder",
    "CausalNetwork",
    "Classifier",
    "ConvDecoder",
    "ConvEncoder",
    "DCCritic",
    "DCGenerator",
    "GatedPixelCNN",
    "MLPCritic",
    "MLPDecoder",
    "MLPEncoder",
    "MLPGenerator",
    "MaskedConv2d",
    "NoLatent",
    "PixelCNN",
    "PixelDecoder",
    "ResidualBlock",
    "ResidualDecoder",
    "ResidualEncoder",
    "receptive_field",
    "sample_sequentially",
    "sample_wavefront",
    "skew",
]

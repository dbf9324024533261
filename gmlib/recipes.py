"""The catalogue: every recipe on one page, each written as its difference from its parent."""

from dataclasses import replace
from functools import partial

import torch

from gmlib.errors import InputError, nearest
from gmlib.experiments.recipe import ClassifierRecipe, GANRecipe, Recipe, VAERecipe
from gmlib.models.conv import ConvDecoder, ConvEncoder
from gmlib.models.dcgan import DCCritic, DCGenerator
from gmlib.models.pixelcnn import GatedPixelCNN
from gmlib.objectives.adversarial import (
    MINIMAX,
    NON_SATURATING,
    NON_SATURATING_R1,
    WASSERSTEIN_CLIPPED,
    WASSERSTEIN_PENALTY,
)
from gmlib.objectives.bounds import ELBO, IWAE

# variational autoencoders

VAE = VAERecipe(
    name="vae",
    about="VAE with one hidden layer of 100 units, two latents and batch norm.",
    hidden=100,
    latent_dim=2,
    batch_norm=True,
    lr=1e-2,
    decay=True,
    batch_size=128,
    epochs=100,
    quick_epochs=40,
    paper="Kingma & Welling 2014, Auto-Encoding Variational Bayes",
)
VAE_NO_BN = replace(
    VAE,
    parent=VAE,
    name="vae_no_bn",
    about="VAE with one hidden layer of 100 units and two latents, without batch norm.",
    batch_norm=False,
)

CONV_VAE = replace(
    VAE,
    parent=VAE,
    name="conv_vae",
    about="VAE with two convolutions in the encoder, a linear decoder and two latents.",
    encoder=ConvEncoder,
    quick_epochs=8,
)
CONV_VAE_DECONV = replace(
    CONV_VAE,
    parent=CONV_VAE,
    name="conv_vae_deconv",
    about="VAE with convolutions in the encoder, transposed convolutions in the decoder, and two latents.",
    decoder=ConvDecoder,
)
CVAE = replace(
    VAE,
    parent=VAE,
    name="cvae",
    about="Conditional VAE: labels are inputs of encoder and decoder; otherwise as vae.",
    conditional=True,
    paper="Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional Generative Models",
)
VAE_STRONG = replace(
    VAE,
    parent=VAE,
    name="vae_strong",
    about="VAE with two hidden layers of 512 units and 50 latents, trained on the importance-weighted bound.",
    hidden=(512, 512),
    latent_dim=50,
    objective=IWAE(5),
    lr=5e-3,
    quick_epochs=12,
    finer_samples=5000,
    paper="Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders",
)

# PixelCNN and PixelVAE

PIXEL_VAE = replace(
    VAE,
    parent=VAE,
    name="pixel_vae",
    about="VAE with a gated PixelCNN as its decoder, conditioned on a feature map computed from z.",
    encoder=partial(ConvEncoder, strided=True),
    spatial_condition=partial(ConvDecoder, channels=16, width=64),
    pixelcnn=partial(GatedPixelCNN, channels=32, layers=7),
    hidden=256,
    latent_dim=32,
    lr=2e-3,
    objective=ELBO(kl_warmup=0.1),
    ema=0.999,
    epochs=39,
    quick_epochs=8,
    likelihood_samples=20,
    finer_samples=1000,
    finer_digits=100,
    paper="Gulrajani et al. 2017, PixelVAE: A Latent Variable Model for Natural Images",
)
PIXEL_CVAE = replace(
    PIXEL_VAE,
    parent=PIXEL_VAE,
    name="pixel_cvae",
    about="Conditional PixelVAE: labels are inputs of the encoder and of the decoder's feature map.",
    conditional=True,
    likelihood_samples=1,
    finer_samples=20,
    finer_digits=50,
)
PIXEL_CNN = replace(
    PIXEL_VAE,
    parent=PIXEL_VAE,
    name="pixel_cnn",
    about="Gated PixelCNN without a latent, wider and deeper than the decoder of pixel_vae.",
    spatial_condition=None,
    pixelcnn=partial(GatedPixelCNN, channels=64, layers=8, rows_above=2),
    latent_dim=0,
    objective=ELBO(),
    epochs=28,
    likelihood_samples=1,  # without a latent one draw is exact
    finer_samples=0,
    paper="van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders",
)

# GANs

GAN = GANRecipe(
    name="gan",
    about="GAN of linear layers, four per network, with the non-saturating loss.",
    latent_dim=100,
    dropout=0.3,
    lr=2e-4,
    betas=(0.5, 0.999),
    batch_size=64,
    ema=0.999,
    epochs=50,
    quick_epochs=20,
    ships_critic=False,
    paper="Goodfellow et al. 2014, Generative Adversarial Nets",
)
GAN_MINIMAX = replace(
    GAN,
    parent=GAN,
    name="gan_minimax",
    about="GAN of linear layers with the saturating minimax loss, log(1 - D).",
    objective=MINIMAX,
)
GAN_CRITIC_BN = replace(
    GAN,
    parent=GAN,
    name="gan_critic_bn",
    about="GAN of linear layers with batch norm in the critic.",
    critic_norm="batch",
)
CGAN = replace(
    GAN,
    parent=GAN,
    name="cgan",
    about="Conditional GAN of linear layers: labels are inputs of generator and critic.",
    conditional=True,
    paper="Mirza & Osindero 2014, Conditional Generative Adversarial Nets",
)
DCGAN = replace(
    GAN,
    parent=GAN,
    name="dcgan",
    about="DCGAN: strided convolutions, batch norm in the generator, and an R1 penalty on the critic.",
    generator=DCGenerator,
    critic=DCCritic,
    objective=NON_SATURATING_R1,
    batch_norm=True,
    dropout=0.0,
    lr=2e-3,
    betas=(0.5, 0.99),
    decay=True,
    batch_size=32,
    epochs=24,
    quick_epochs=4,
    ships_critic=True,
    paper="Radford, Metz & Chintala 2016, Unsupervised Representation Learning with DCGANs",
)
DCGAN_PLAIN = replace(
    DCGAN,
    parent=DCGAN,
    name="dcgan_plain",
    about="DCGAN without a penalty.",
    objective=NON_SATURATING,
)
# no R1: under batch norm the gradient at one image depends on the other images of the batch
DCGAN_CRITIC_BN = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="dcgan_critic_bn",
    about="DCGAN without a penalty, with batch norm in the critic.",
    critic_norm="batch",
)
DCGAN_PAPER = replace(
    DCGAN_CRITIC_BN,
    parent=DCGAN_CRITIC_BN,
    name="dcgan_paper",
    about="DCGAN with the settings of its paper: batch norm in both networks, no penalty, Adam at a constant rate.",
    lr=2e-4,
    betas=(0.5, 0.999),
    decay=False,
    cooldown=0.25,
    batch_size=128,
    ema=0.0,
    epochs=100,
    quick_epochs=8,
)
CDCGAN = replace(
    DCGAN,
    parent=DCGAN,
    name="cdcgan",
    about="Conditional DCGAN with an R1 penalty: labels are inputs of generator and critic.",
    conditional=True,
)

# Wasserstein GANs

WGAN_MLP = replace(
    GAN,
    parent=GAN,
    name="wgan_mlp",
    about="Wasserstein GAN of linear layers with weight clipping.",
    objective=WASSERSTEIN_CLIPPED,
    optimiser=torch.optim.RMSprop,
    betas=None,
    lr=5e-5,
    dropout=0.0,
    n_critic=5,
    warmup=True,
    epochs=60,
    quick_epochs=40,
    paper="Arjovsky, Chintala & Bottou 2017, Wasserstein Generative Adversarial Networks",
)
WGAN_GP_MLP = replace(
    WGAN_MLP,
    parent=WGAN_MLP,
    name="wgan_gp_mlp",
    about="Wasserstein GAN of linear layers with a gradient penalty.",
    objective=WASSERSTEIN_PENALTY,
    optimiser=torch.optim.Adam,
    betas=(0.5, 0.9),
    lr=1e-4,
    warmup=False,
    paper="Gulrajani et al. 2017, Improved Training of Wasserstein GANs",
)
WGAN = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="wgan",
    about="Convolutional Wasserstein GAN with weight clipping, and batch norm in the critic.",
    generator=partial(DCGenerator, width=32),
    objective=replace(WASSERSTEIN_CLIPPED, clip=0.03),
    optimiser=torch.optim.RMSprop,
    betas=None,
    lr=1e-3,
    decay=False,
    batch_size=64,
    critic_norm="batch",
    epochs=10,
    quick_epochs=12,
    paper=WGAN_MLP.paper,
)
WGAN_GP = replace(
    WGAN,
    parent=WGAN,
    name="wgan_gp",
    about="Convolutional Wasserstein GAN with a gradient penalty, without batch norm in the critic.",
    objective=WASSERSTEIN_PENALTY,
    optimiser=torch.optim.Adam,
    betas=(0.5, 0.9),
    critic_norm=None,
    n_critic=5,
    epochs=40,
    quick_epochs=30,
    paper=WGAN_GP_MLP.paper,
)
WGAN_GP_CRITIC_BN = replace(
    WGAN_GP,
    parent=WGAN_GP,
    name="wgan_gp_critic_bn",
    about="Convolutional Wasserstein GAN with a gradient penalty, and batch norm in the critic.",
    critic_norm="batch",
)
WGAN_PAPER = replace(
    WGAN,
    parent=WGAN,
    name="wgan_paper",
    about="Convolutional Wasserstein GAN with the settings of its paper: a bound of 0.01, RMSprop at 5e-5, five critic steps.",
    generator=DCGenerator,
    objective=WASSERSTEIN_CLIPPED,
    lr=WGAN_MLP.lr,
    n_critic=5,
    warmup=True,
    cooldown=0.25,
    ema=0.0,
    epochs=120,
    quick_epochs=20,
)
WGAN_GP_PAPER = replace(
    WGAN_GP,
    parent=WGAN_GP,
    name="wgan_gp_paper",
    about="Convolutional Wasserstein GAN with a gradient penalty, and the settings of its paper: Adam at 1e-4, five critic steps.",
    generator=DCGenerator,
    lr=WGAN_GP_MLP.lr,
    betas=(0.0, 0.9),
    cooldown=0.25,
    ema=0.0,
    epochs=120,
)
WGAN_REPORT = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="wgan_report",
    about="DCGAN with the Wasserstein loss and weight clipping, batch norm in the critic, Adam, and equal numbers of steps.",
    objective=WASSERSTEIN_CLIPPED,
    critic_norm="batch",
    lr=GAN.lr,
    betas=GAN.betas,
    decay=False,
    epochs=6,
    paper=WGAN_MLP.paper,
)
WGAN_GP_REPORT = replace(
    WGAN_REPORT,
    parent=WGAN_REPORT,
    name="wgan_gp_report",
    about="DCGAN with the Wasserstein loss and a gradient penalty, batch norm in the critic, Adam, and equal numbers of steps.",
    objective=WASSERSTEIN_PENALTY,
    paper=WGAN_GP_MLP.paper,
)

# stacked MNIST

STACKED_DCGAN = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="stacked_dcgan",
    about="DCGAN without a penalty on stacked MNIST: three digits per image, 1,000 modes.",
    stack=3,
    epochs=12,
    quick_epochs=24,
    ships_critic=False,
    paper="Metz, Poole, Pfau & Sohl-Dickstein 2017, Unrolled Generative Adversarial Networks",
)
STACKED_DCGAN_R1 = replace(
    STACKED_DCGAN,
    parent=STACKED_DCGAN,
    name="stacked_dcgan_r1",
    about="DCGAN with an R1 penalty on stacked MNIST.",
    objective=DCGAN.objective,
    paper="Mescheder, Geiger & Nowozin 2018, Which Training Methods for GANs do actually Converge?",
)
STACKED_DCGAN_BEHIND = replace(
    STACKED_DCGAN,
    parent=STACKED_DCGAN,
    name="stacked_dcgan_behind",
    about="DCGAN on stacked MNIST with three generator steps per critic step: mode collapse.",
    n_generator=3,
    epochs=3,
)
STACKED_PACGAN = replace(
    STACKED_DCGAN_BEHIND,
    parent=STACKED_DCGAN_BEHIND,
    name="stacked_pacgan",
    about="PacGAN on stacked MNIST: the critic scores pairs of images; three generator steps per critic step.",
    pack=2,
    paper="Lin, Khetan, Fanti & Oh 2018, PacGAN: The power of two samples in generative adversarial networks",
)
STACKED_WGAN_GP = replace(
    WGAN_GP,
    parent=WGAN_GP,
    name="stacked_wgan_gp",
    about="Convolutional Wasserstein GAN with a gradient penalty on stacked MNIST.",
    stack=3,
    epochs=12,
    quick_epochs=60,
    ships_critic=False,
)

# every recipe above, by name
ALL: dict[str, Recipe] = {recipe.name: recipe for recipe in list(globals().values()) if isinstance(recipe, Recipe)}

# not a generative model, and therefore not in ALL
CLASSIFIER = ClassifierRecipe(
    name="classifier",
    about="Digit classifier, in whose features FID, KID and the like are computed.",
    lr=3e-3,
    batch_size=128,
    optimiser=torch.optim.AdamW,
    epochs=24,
    quick_epochs=12,
    paper="a small convolutional network, as has been usual since LeCun et al. 1998",
)


def by_name(name: str) -> Recipe:
    """Return the recipe of this name, one of `ALL` or "classifier"."""
    known = ALL | {CLASSIFIER.name: CLASSIFIER}
    if name not in known:
        raise InputError(f"got recipe {name!r}, expected one of {', '.join(known)}{nearest(name, known)}")
    return known[name]

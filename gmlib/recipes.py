"""Every experiment on one page, each written as its difference from its parent."""

from dataclasses import replace
from functools import partial

import torch

from gmlib.errors import InputError, nearest
from gmlib.experiments.recipe import ClassifierRecipe, Departure, GANRecipe, Recipe, VAERecipe
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

DECAY = Departure(
    "learning rate",
    "1e-2, constant",
    "1e-2, falling to 0 along half a cosine",
    "the steps shrink, so that the last epochs settle; not measured apart from the epochs",
)

VAE = VAERecipe(
    name="vae",
    about="The report's VAE: one hidden layer of 100, two latents, batch norm.",
    hidden=100,
    latent_dim=2,
    batch_norm=True,
    lr=1e-2,
    decay=True,
    batch_size=128,
    epochs=100,
    quick_epochs=40,
    paper="Kingma & Welling 2014, Auto-Encoding Variational Bayes",
    departures=(
        DECAY,
        Departure("epochs", "15", "100 (40 on the embedded digits)", "the bound still rises after 15"),
    ),
)
VAE_NO_BN = replace(VAE, parent=VAE, name="vae_no_bn", about="The same without batch norm.", batch_norm=False)

CONV_VAE = replace(
    VAE,
    parent=VAE,
    name="conv_vae",
    about="The report's ConvVAE: two convolutions in the encoder, the decoder of vae.",
    encoder=ConvEncoder,
    quick_epochs=8,
    departures=(
        DECAY,
        Departure("epochs", "15", "100 (8 on the embedded digits)", "the bound still rises after 15"),
        Departure("channels", "not known here", "8 and 8", "more are slower, on two CPU cores"),
    ),
)
CONV_VAE_DECONV = replace(
    CONV_VAE,
    parent=CONV_VAE,
    name="conv_vae_deconv",
    about="Transposed convolutions in the decoder too, which the report did not try.",
    decoder=ConvDecoder,
)
CVAE = replace(
    VAE,
    parent=VAE,
    name="cvae",
    about="The report's CVAE: the VAE with labels in encoder and decoder.",
    conditional=True,
    paper="Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional Generative Models",
)
VAE_STRONG = replace(
    VAE,
    parent=VAE,
    name="vae_strong",
    about="Fifty latents, two hidden layers, importance-weighted training: a VAE for likelihood.",
    hidden=(512, 512),
    latent_dim=50,
    objective=IWAE(5),
    lr=5e-3,
    quick_epochs=12,
    finer_samples=5000,
    paper="Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders",
    departures=(
        Departure(
            "model",
            "2 latents, one layer of 100, the ELBO",
            "50 latents, two layers of 512, the bound of 5 draws",
            "no model of the report's: it shows what the others leave on the table",
        ),
        Departure(
            "learning rate",
            "1e-2, constant",
            "5e-3, falling to 0 along half a cosine",
            "a larger network; not measured apart from the rest",
        ),
        Departure("epochs", "15", "100 (12 on the embedded digits)", "the bound still rises after 15"),
    ),
)

PIXEL_VAE = replace(
    VAE,
    parent=VAE,
    name="pixel_vae",
    about="A VAE with an autoregressive decoder: a gated PixelCNN, with a feature map made from z as its condition.",
    encoder=partial(ConvEncoder, strided=True),
    spatial_condition=partial(ConvDecoder, channels=16, width=64),
    pixelcnn=partial(GatedPixelCNN, channels=32, layers=7),
    hidden=256,
    latent_dim=32,
    lr=2e-3,
    batch_size=128,
    objective=ELBO(kl_warmup=0.1),
    ema=0.999,
    epochs=39,
    quick_epochs=8,
    likelihood_samples=20,
    finer_samples=1000,
    finer_digits=100,
    paper="Gulrajani et al. 2017, PixelVAE: A Latent Variable Model for Natural Images",
    departures=(
        Departure(
            "model",
            "did not train",
            "32 latents, a spatial condition of 16 channels, two stacks of 7 layers of 32 channels",
            "small enough for a CPU to draw from",
        ),
        Departure(
            "learning rate", "not known here", "2e-3, falling to 0 along half a cosine", "as in short trials; not tuned"
        ),
        Departure(
            "warm-up",
            "none",
            "the weight of the KL divergence rises from 0 to 1 over the first tenth of the run",
            "to prevent posterior collapse at the beginning of training",
        ),
        Departure(
            "average", "none", "of the weights, 0.999 a step", "evens out the last steps; it takes no part in training"
        ),
        Departure(
            "epochs",
            "not known here",
            "39 (8 on the embedded digits)",
            "as many as eight minutes of a shared GPU allowed",
        ),
    ),
)
PIXEL_CVAE = replace(
    PIXEL_VAE,
    parent=PIXEL_VAE,
    name="pixel_cvae",
    about="The same with labels, on which the encoder and the feature map depend.",
    conditional=True,
    likelihood_samples=1,
    finer_samples=20,
    finer_digits=50,
)
PIXEL_CNN = replace(
    PIXEL_VAE,
    parent=PIXEL_VAE,
    name="pixel_cnn",
    about="A gated PixelCNN without a latent, wider and deeper than that of pixel_vae.",
    spatial_condition=None,
    pixelcnn=partial(GatedPixelCNN, channels=64, layers=8, rows_above=2),
    latent_dim=0,
    objective=ELBO(),
    lr=2e-3,
    epochs=28,
    likelihood_samples=1,  # without a latent one draw is exact
    finer_samples=0,
    paper="van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders",
    departures=(
        Departure(
            "model",
            "none of its own",
            "two stacks of 8 layers of 64 channels; the vertical kernels after the first cover two rows above",
            "so that the receptive field has 17 rows above the pixel",
        ),
        Departure(
            "learning rate",
            "not known here",
            "2e-3, falling to 0 along half a cosine",
            "a first run at 1e-3, with a fifth of each map dropped, did a little worse on validation digits after 44 epochs",
        ),
        *(each for each in PIXEL_VAE.departures if each.what == "average"),
        Departure("epochs", "none", "28 (8 on the embedded digits)", "as many as four minutes of a GPU allowed"),
    ),
)

BETAS = Departure(
    "Adam's betas",
    "not known here",
    "0.5 and 0.999",
    "0.9 did worse in a trial of two epochs and one seed, on validation digits",
)
AVERAGE = Departure(
    "average",
    "none",
    "of the generator's weights, 0.999 a step",
    "evens out the last steps; it takes no part in training",
)

GAN = GANRecipe(
    name="gan",
    about="The report's GAN: four layers against four, with the loss that does not saturate.",
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
    departures=(
        BETAS,
        AVERAGE,
        Departure("epochs", "100 and 200", "50 (20 on the embedded digits)", "two CPU cores"),
    ),
)
GAN_MINIMAX = replace(
    GAN,
    parent=GAN,
    name="gan_minimax",
    about="The same with the loss of the minimax game, log(1 - D), which saturates.",
    objective=MINIMAX,
)
GAN_CRITIC_BN = replace(
    GAN, parent=GAN, name="gan_critic_bn", about="The same with batch norm in the critic.", critic_norm="batch"
)
CGAN = replace(
    GAN,
    parent=GAN,
    name="cgan",
    about="The report's CGAN: the GAN with labels in generator and critic.",
    conditional=True,
    paper="Mirza & Osindero 2014, Conditional Generative Adversarial Nets",
)
DCGAN = replace(
    GAN,
    parent=GAN,
    name="dcgan",
    about="The report's DCGAN: strided convolutions, and batch norm in the generator.",
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
    departures=(
        Departure(
            "Adam's betas",
            "not known here",
            "0.5 and 0.99",
            "with 0.999, in a trial of one seed, the critic of cdcgan broke loose after a few epochs, and its validation FID rose steeply",
        ),
        AVERAGE,
        Departure(
            "penalty",
            "none",
            "R1, of weight 0.01",
            "meant to bring the game to rest; `dcgan_plain` goes without. In trials of one seed, on validation digits, "
            "the critic of cdcgan could soon tell nothing with 0.1, and FID rose",
        ),
        Departure(
            "learning rate",
            "2e-4, constant",
            "2e-3, falling to 0 along half a cosine",
            "validation FID fell faster than with half of it, in trials of one seed that differed in width or penalty too; faster still with "
            "two generator steps a critic step, but those left the critic of cdcgan blind",
        ),
        Departure("epochs", "not known here", "24 (4 on the embedded digits)", "two CPU cores"),
    ),
)
DCGAN_PLAIN = replace(
    DCGAN,
    parent=DCGAN,
    name="dcgan_plain",
    about="The same in the report's game: no penalty.",
    objective=NON_SATURATING,
    departures=tuple(departure for departure in DCGAN.departures if departure.what != "penalty"),
)
# R1 asks for the slope at one image alone, which a critic with batch norm has not
DCGAN_CRITIC_BN = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="dcgan_critic_bn",
    about="The same with batch norm in the critic.",
    critic_norm="batch",
)
CDCGAN = replace(
    DCGAN,
    parent=DCGAN,
    name="cdcgan",
    about="The DCGAN with labels in generator and critic.",
    conditional=True,
)

CRITIC_FIRST = Departure(
    "critic steps",
    "not known here",
    "5 a generator step, and 100 in each of the first 25 rounds and in every 500th (fewer in a short run)",
    "the paper's 5, and the lead of its authors' code: a critic that is far from its best says nothing of a distance",
)
FIVE_STEPS = Departure("critic steps", "not known here", "5 a generator step", "as the paper has it")
RMSPROP = Departure(
    "optimiser", "not known here", "RMSprop", "as the paper has it: momentum does not go with weights that are clipped"
)
BETAS_OF_WGAN_GP = Departure("Adam's betas", "not known here", "0.5 and 0.9", "as the authors' code has them")
NEAR_1 = Departure(
    "penalty",
    "not known here",
    "of weight 10, on slopes per unit of [0, 1]",
    "the published slope of 1 is per unit of [-1, 1], of images twice as far apart: here scores are half as large, and the penalty weighs "
    "twice as much against them",
)
NO_NORM = Departure(
    "batch norm in the critic",
    "there",
    "none",
    "with it an image has no slope of its own; claims take it out of the report's setting too",
)
NO_DROPOUT = Departure("dropout in the critic", "0.3 in its GAN", "none", "as the papers have it")

HALF_WIDTH = Departure(
    "generator",
    "not known here",
    "32 channels next to the image, as many as the critic has, and half of dcgan's",
    "in trials of one seed, on validation digits, wgan_gp learnt faster so, and wgan a little slower an epoch, but an epoch takes less time",
)

WGAN_MLP = replace(
    GAN,
    parent=GAN,
    name="wgan_mlp",
    about="A WGAN of the GAN's layers, but for dropout: a critic of clipped weights in place of the discriminator.",
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
    departures=(
        RMSPROP,
        CRITIC_FIRST,
        NO_NORM,
        NO_DROPOUT,
        AVERAGE,
        Departure("learning rate", "not known here", "5e-05, constant", "as the paper has it"),
        Departure("epochs", "not known here", "60 (40 on the embedded digits)", "two CPU cores"),
    ),
)
WGAN_GP_MLP = replace(
    WGAN_MLP,
    parent=WGAN_MLP,
    name="wgan_gp_mlp",
    about="The same with a penalty on the critic's slope in place of clipped weights.",
    objective=WASSERSTEIN_PENALTY,
    optimiser=torch.optim.Adam,
    betas=(0.5, 0.9),
    lr=1e-4,
    warmup=False,
    paper="Gulrajani et al. 2017, Improved Training of Wasserstein GANs",
    departures=(
        BETAS_OF_WGAN_GP,
        FIVE_STEPS,
        NEAR_1,
        NO_NORM,
        NO_DROPOUT,
        AVERAGE,
        Departure("learning rate", "not known here", "1e-4, constant", "as the paper has it"),
        Departure("epochs", "not known here", "60 (40 on the embedded digits)", "two CPU cores"),
    ),
)
WGAN = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="wgan",
    about="A critic of clipped weights, with batch norm in it, and a generator that is no wider.",
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
    departures=(
        HALF_WIDTH,
        RMSPROP,
        Departure(
            "critic steps",
            "not known here",
            "1 a generator step",
            "with the paper's 5, and the lead of its authors' code, the validation FID fell far more slowly, by epochs and by seconds (trials of one seed)",
        ),
        AVERAGE,
        Departure(
            "clipping",
            "at 0.01",
            "at 0.03, with batch norm in the critic",
            "in trials of one seed, on validation digits, FID fell faster than with 0.01, 0.05 and 0.1, at rates that differed too, and far faster than "
            "without batch norm, where bounds from 0.01 to 0.1 were tried",
        ),
        Departure(
            "learning rate",
            "not known here",
            "1e-3, constant",
            "where it falls, the critic gets better, and its estimate rose while the validation FID fell (a trial of one seed)",
        ),
        Departure(
            "epochs",
            "not known here",
            "10 (12 on the embedded digits)",
            "after these the critic's estimate fell to nothing, and the validation FID no further (a trial of one seed)",
        ),
    ),
)
WGAN_GP = replace(
    WGAN,
    parent=WGAN,
    name="wgan_gp",
    about="The same with a penalty on the critic's slope in place of clipped weights, and no batch norm in it.",
    objective=WASSERSTEIN_PENALTY,
    optimiser=torch.optim.Adam,
    betas=(0.5, 0.9),
    critic_norm=None,
    n_critic=5,
    epochs=40,
    quick_epochs=30,
    paper=WGAN_GP_MLP.paper,
    departures=(
        HALF_WIDTH,
        BETAS_OF_WGAN_GP,
        FIVE_STEPS,
        NEAR_1,
        NO_NORM,
        AVERAGE,
        Departure(
            "learning rate",
            "not known here",
            "1e-3, constant",
            "with 2e-3, falling to 0 along half a cosine, the critic's estimate rose again as the rate fell, in a run of one seed with a generator of 64 "
            "channels; in trials, batches of 32 in place of 64 made the validation FID fall slower",
        ),
        Departure("epochs", "not known here", "40 (30 on the embedded digits)", "two CPU cores"),
    ),
)
WGAN_GP_CRITIC_BN = replace(
    WGAN_GP,
    parent=WGAN_GP,
    name="wgan_gp_critic_bn",
    about="The same with batch norm in the critic.",
    critic_norm="batch",
    departures=tuple(departure for departure in WGAN_GP.departures if departure != NO_NORM),
)
WGAN_REPORT = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="wgan_report",
    about="The report's WGAN, as far as it is known: no sigmoid, clipped weights, batch norm in the critic; the rest as in its DCGAN.",
    objective=WASSERSTEIN_CLIPPED,
    critic_norm="batch",
    lr=GAN.lr,
    betas=GAN.betas,
    decay=False,
    epochs=6,
    paper=WGAN_MLP.paper,
    departures=(
        BETAS,
        AVERAGE,
        Departure("epochs", "not known here", "6 (4 on the embedded digits)", "two CPU cores"),
    ),
)
WGAN_GP_REPORT = replace(
    WGAN_REPORT,
    parent=WGAN_REPORT,
    name="wgan_gp_report",
    about="The same with a penalty on the critic's slope in place of clipped weights.",
    objective=WASSERSTEIN_PENALTY,
    paper=WGAN_GP_MLP.paper,
    departures=(*WGAN_REPORT.departures, NEAR_1),
)

STACKS = Departure("images", "single digits", "stacks of three digits, one a channel", "a thousand modes to count")
IN_TIME = "two CPU cores: 200,000 stacks, where the usual protocol has 128,000 in 50 epochs; gmlib train NAME --profile full --epochs 384 is as long"

STACKED_DCGAN = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="stacked_dcgan",
    about="The DCGAN in the report's game, on stacks of three digits: a thousand modes.",
    stack=3,
    epochs=12,
    quick_epochs=24,
    ships_critic=False,
    paper="Metz, Poole, Pfau & Sohl-Dickstein 2017, Unrolled Generative Adversarial Networks",
    departures=(
        STACKS,
        *(each for each in DCGAN_PLAIN.departures if each.what != "epochs"),
        Departure("epochs", "not known here", "12 (24 on the embedded digits)", IN_TIME),
    ),
)
STACKED_DCGAN_R1 = replace(
    STACKED_DCGAN,
    parent=STACKED_DCGAN,
    name="stacked_dcgan_r1",
    about="The same with the penalty of dcgan.",
    objective=DCGAN.objective,
    paper="Mescheder, Geiger & Nowozin 2018, Which Training Methods for GANs do actually Converge?",
    departures=(*STACKED_DCGAN.departures, *(each for each in DCGAN.departures if each.what == "penalty")),
)
STACKED_DCGAN_BEHIND = replace(
    STACKED_DCGAN,
    parent=STACKED_DCGAN,
    name="stacked_dcgan_behind",
    about="The same with three steps of the generator for one of the critic, which falls behind: it collapses.",
    n_generator=3,
    epochs=3,
    departures=(
        *(each for each in STACKED_DCGAN.departures if each.what != "epochs"),
        Departure(
            "generator steps", "not known here", "3 a critic step", "on purpose: so that there is a collapse to cure"
        ),
        Departure("epochs", "not known here", "3 (24 on the embedded digits)", "two CPU cores; as many for both"),
    ),
)
STACKED_PACGAN = replace(
    STACKED_DCGAN_BEHIND,
    parent=STACKED_DCGAN_BEHIND,
    name="stacked_pacgan",
    about="The same with a critic that judges two stacks together.",
    pack=2,
    paper="Lin, Khetan, Fanti & Oh 2018, PacGAN: The power of two samples in generative adversarial networks",
)
STACKED_WGAN_GP = replace(
    WGAN_GP,
    parent=WGAN_GP,
    name="stacked_wgan_gp",
    about="The WGAN with a penalty, on stacks of three digits.",
    stack=3,
    epochs=12,
    quick_epochs=60,
    ships_critic=False,
    departures=(
        STACKS,
        *(each for each in WGAN_GP.departures if each.what != "epochs"),
        Departure("epochs", "not known here", "12 (60 on the embedded digits)", IN_TIME),
    ),
)

ALL: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *(VAE, VAE_NO_BN, CONV_VAE, CONV_VAE_DECONV, CVAE, VAE_STRONG, PIXEL_VAE, PIXEL_CVAE, PIXEL_CNN),
        *(GAN, GAN_MINIMAX, GAN_CRITIC_BN, CGAN, DCGAN, DCGAN_PLAIN, DCGAN_CRITIC_BN, CDCGAN),
        *(WGAN_MLP, WGAN_GP_MLP, WGAN, WGAN_GP, WGAN_GP_CRITIC_BN, WGAN_REPORT, WGAN_GP_REPORT),
        *(STACKED_DCGAN, STACKED_DCGAN_R1, STACKED_DCGAN_BEHIND, STACKED_PACGAN, STACKED_WGAN_GP),
    )
}

# no generative model: the eye with which their samples are judged
CLASSIFIER = ClassifierRecipe(
    name="classifier",
    about="The digit classifier in whose features samples are measured.",
    lr=3e-3,
    batch_size=128,
    optimiser=torch.optim.AdamW,
    epochs=24,
    quick_epochs=12,
    paper="a small convolutional network, as has been usual since LeCun et al. 1998",
)


def by_name(name: str) -> Recipe:
    """Find a recipe.

    Args:
        name: as listed by `gmlib list`, or "classifier".

    Returns:
        The recipe.

    Raises:
        InputError: if there is none of that name; it suggests the nearest.
    """
    known = ALL | {CLASSIFIER.name: CLASSIFIER}
    if name not in known:
        raise InputError(f"got recipe {name!r}, expected one of {', '.join(known)}{nearest(name, known)}")
    return known[name]

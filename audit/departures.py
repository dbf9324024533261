"""Where our recipes differ from the homework report of 2018. Our side is computed from the recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from gmlib.display import Shown, table
from gmlib.errors import InputError, nearest
from gmlib.experiments.recipe import Recipe


@dataclass(frozen=True)
class Departure:
    """One difference of a recipe from the report."""

    what: str
    theirs: str
    why: str


def departures(recipe: Recipe) -> Shown:
    """Return where a recipe differs from the report, as a table.

    Args:
        recipe: one of the catalogue, or one with the name of such a recipe.

    Returns:
        A Markdown table with the columns "what", "the report's", "ours" and "why".

    Raises:
        InputError: if no differences are recorded for a recipe of this name.
    """
    if recipe.name not in DEPARTURES:
        raise InputError(
            f"got recipe {recipe.name!r}, expected one that is compared with the report{nearest(recipe.name, DEPARTURES)}"
        )
    return table(
        {"what": each.what, "the report's": each.theirs, "ours": OURS[each.what](recipe), "why": each.why}
        for each in DEPARTURES[recipe.name]
    )


def _schedule(recipe: Any) -> str:
    return f"{recipe.lr:g}, {'cosine decay to 0' if recipe.decay else 'constant'}"


def _epochs(recipe: Any) -> str:
    return f"{recipe.epochs} ({recipe.quick_epochs} on the embedded digits)"


def _channels(network: nn.Module) -> list[int]:
    """Return the number of channels of each feature map that a convolution outputs."""
    return [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


def _critic_steps(recipe: Any) -> str:
    steps = f"{recipe.n_critic} per generator step"
    return f"{steps}; 100 before each of the first 25 and every 500th, fewer in a short run" if recipe.warmup else steps


def _penalty(recipe: Any) -> str:
    name = {"r1_penalty": "R1", "gradient_penalty": "gradient penalty"}
    penalty = recipe.objective.penalty
    return f"{name[penalty.__name__]}, weight {recipe.objective.weight:g}" if penalty else "none"


def _pixelcnn(recipe: Any) -> str:
    sizes = recipe.pixelcnn.keywords
    text = f"{sizes['layers']} gated layers of {sizes['channels']} channels"
    rows = sizes.get("rows_above")
    return f"{text}; vertical kernels cover {rows} rows above" if rows else text


OURS: dict[str, Callable[[Any], str]] = {
    "learning rate": _schedule,
    "epochs": _epochs,
    "optimiser": lambda recipe: recipe.optimiser.__name__,
    "Adam's betas": lambda recipe: "{:g} and {:g}".format(*recipe.betas),
    "weight averaging": lambda recipe: f"exponential moving average, decay {recipe.ema:g} per step",
    "latent dimension": lambda recipe: str(recipe.latent_dim),
    "hidden layers": lambda recipe: " and ".join(map(str, recipe.hidden)),
    "objective": lambda recipe: f"importance-weighted bound with {recipe.objective.samples} draws",
    "KL warm-up": lambda recipe: f"over the first {recipe.objective.kl_warmup:.0%} of training",
    "PixelCNN": _pixelcnn,
    "spatial condition": lambda recipe: f"{recipe.spatial_condition.keywords['channels']} channels",
    "encoder's channels": lambda recipe: " and ".join(map(str, _channels(recipe.build().encoder))),
    "generator's channels": lambda recipe: ", ".join(map(str, _channels(recipe.build().generator)[:-1])),
    "critic steps": _critic_steps,
    "generator steps": lambda recipe: f"{recipe.n_generator} per critic step",
    "penalty": _penalty,
    "weight clipping": lambda recipe: f"at {recipe.objective.clip:g}",
    "critic's norm": lambda recipe: f"{recipe.critic_norm} norm" if recipe.critic_norm else "none",
    "critic's dropout": lambda recipe: f"{recipe.dropout:g}" if recipe.dropout else "none",
    "digits per image": lambda recipe: f"{recipe.stack}, one per channel",
}

UNKNOWN = "not stated"
STILL_RISING = "the ELBO still rises after 15 epochs"
CPU = "the time of two CPU cores"

DECAY = Departure(
    "learning rate",
    "0.01, no schedule mentioned",
    "smaller steps at the end of training; the effect was not measured separately from that of the number of epochs",
)
EPOCHS_VAE = Departure("epochs", "15", STILL_RISING)
VAE = (DECAY, EPOCHS_VAE)
CONV_VAE = (*VAE, Departure("encoder's channels", UNKNOWN, "wider layers are slower on two CPU cores"))

PIXEL_AVERAGE = Departure("weight averaging", "none mentioned", "reduces the noise of the last steps")
PIXEL_VAE = (
    Departure("latent dimension", UNKNOWN, "the report shows no results of its PixelVAE; chosen by us"),
    Departure("spatial condition", UNKNOWN, "z enters the decoder as a feature map"),
    Departure("PixelCNN", UNKNOWN, "small enough to sample from on a CPU"),
    Departure("learning rate", "0.01 for all its VAEs", "chosen in short trials; not tuned"),
    Departure("KL warm-up", "none mentioned", "to prevent posterior collapse at the beginning of training"),
    PIXEL_AVERAGE,
    Departure("epochs", UNKNOWN, "limited by eight minutes of a shared GPU"),
)
PIXEL_CNN = (
    Departure("PixelCNN", "no PixelCNN without a latent", "the receptive field has 17 rows above the pixel"),
    Departure(
        "learning rate",
        "no PixelCNN without a latent",
        "a run at 0.001 with dropout of 0.2 on the feature maps had a slightly lower validation likelihood after 44 epochs",
    ),
    PIXEL_AVERAGE,
    Departure("epochs", "no PixelCNN without a latent", "limited by four minutes of a GPU"),
)

BETAS = Departure("Adam's betas", UNKNOWN, "a first beta of 0.9 had a higher validation FID (two epochs, one seed)")
AVERAGE = Departure(
    "weight averaging", "none mentioned", "reduces the noise of the last steps; it does not affect training"
)
EPOCHS = Departure("epochs", UNKNOWN, CPU)
GAN = (BETAS, AVERAGE, Departure("epochs", "100 and 200", CPU))
DCGAN_PLAIN = (
    Departure(
        "Adam's betas",
        UNKNOWN,
        "with a second beta of 0.999 the validation FID of cdcgan rose steeply after a few epochs (one seed)",
    ),
    AVERAGE,
    Departure(
        "learning rate",
        "0.0002 for its GAN",
        "validation FID fell faster than at half this rate, in trials of one seed that also differed in width or penalty",
    ),
    EPOCHS,
)
R1 = Departure(
    "penalty",
    "none",
    "to stabilise training near the equilibrium; dcgan_plain has no penalty. With weight 0.1 the critic of cdcgan soon no "
    "longer separated real from generated images, and validation FID rose (one seed)",
)
DCGAN = (*DCGAN_PLAIN, R1)

HALF_WIDTH = Departure(
    "generator's channels",
    UNKNOWN,
    "half of dcgan's. In trials of one seed, the validation FID of wgan_gp fell faster; that of wgan fell slightly more slowly "
    "per epoch, but an epoch took less time",
)
RMSPROP = Departure("optimiser", UNKNOWN, "as in the WGAN paper: momentum made training with clipped weights unstable")
BETAS_GP = Departure("Adam's betas", UNKNOWN, "as in the code of the WGAN-GP paper's authors")
FIVE_STEPS = Departure("critic steps", UNKNOWN, "as in the WGAN-GP paper")
NEAR_1 = Departure(
    "penalty",
    "weight not stated",
    "the paper's weight, but for images in [0, 1] in place of [-1, 1]: scores are half as large, and the penalty has twice "
    "the relative weight",
)
NO_NORM = Departure(
    "critic's norm",
    "batch norm at first, removed later",
    "under batch norm the gradient at one image depends on the other images of the batch",
)
NO_DROPOUT = Departure("critic's dropout", "0.3 in its GAN", "as in the papers")
PAPER_RATE = Departure("learning rate", UNKNOWN, "as in the paper")

WGAN_GP = (
    HALF_WIDTH,
    BETAS_GP,
    FIVE_STEPS,
    NEAR_1,
    NO_NORM,
    AVERAGE,
    Departure(
        "learning rate",
        UNKNOWN,
        "at 0.002 with cosine decay the critic's estimate rose again as the rate fell (one seed, generator of 64 channels)",
    ),
    EPOCHS,
)
WGAN_REPORT = (BETAS, AVERAGE, EPOCHS)
STACKED = (
    Departure("digits per image", "1", "1,000 modes to count"),
    Departure(
        "epochs",
        UNKNOWN,
        "the time of two CPU cores: 200,000 stacks. The usual protocol trains for 50 epochs of 128,000 stacks, which is "
        "gmlib train NAME --profile full --epochs 384",
    ),
)
BEHIND = (
    Departure("generator steps", UNKNOWN, "chosen to cause mode collapse, so that remedies can be compared"),
    Departure("epochs", UNKNOWN, "the time of two CPU cores; equal for stacked_dcgan_behind and stacked_pacgan"),
)


def _but(known: tuple[Departure, ...], *others: Departure) -> tuple[Departure, ...]:
    """Return differences with some of them replaced or added, one per setting."""
    return (*(each for each in known if each.what not in {other.what for other in others}), *others)


DEPARTURES: dict[str, tuple[Departure, ...]] = {
    **dict.fromkeys(("vae", "vae_no_bn", "cvae"), VAE),
    **dict.fromkeys(("conv_vae", "conv_vae_deconv"), CONV_VAE),
    "vae_strong": (
        Departure("latent dimension", "2", "a larger model, trained for likelihood; the report has no such model"),
        Departure("hidden layers", "100", "a larger model"),
        Departure("objective", "ELBO", "a tighter bound on the likelihood"),
        Departure("learning rate", "0.01, no schedule mentioned", "a larger model; not measured separately"),
        EPOCHS_VAE,
    ),
    **dict.fromkeys(("pixel_vae", "pixel_cvae"), PIXEL_VAE),
    "pixel_cnn": PIXEL_CNN,
    **dict.fromkeys(("gan", "gan_minimax", "gan_critic_bn", "cgan"), GAN),
    **dict.fromkeys(("dcgan", "cdcgan"), DCGAN),
    **dict.fromkeys(("dcgan_plain", "dcgan_critic_bn"), DCGAN_PLAIN),
    "wgan_mlp": (
        RMSPROP,
        Departure(
            "critic steps",
            UNKNOWN,
            "as in the paper and its authors' code: only a critic near its optimum estimates the distance",
        ),
        *(NO_NORM, NO_DROPOUT, AVERAGE, PAPER_RATE, EPOCHS),
    ),
    "wgan_gp_mlp": (BETAS_GP, FIVE_STEPS, NEAR_1, NO_NORM, NO_DROPOUT, AVERAGE, PAPER_RATE, EPOCHS),
    "wgan": (
        *(HALF_WIDTH, RMSPROP, AVERAGE),
        Departure(
            "critic steps", UNKNOWN, "with the paper's 5 and warm-up, validation FID fell far more slowly (one seed)"
        ),
        Departure(
            "weight clipping",
            "at 0.01",
            "with batch norm in the critic, validation FID fell faster than at 0.01, 0.05 and 0.1, in trials of one seed whose "
            "learning rates differed too; without batch norm it fell far more slowly at every bound tried, from 0.01 to 0.1",
        ),
        Departure(
            "learning rate",
            UNKNOWN,
            "with a decaying rate the critic's estimate rose while validation FID fell (one seed)",
        ),
        Departure(
            "epochs",
            UNKNOWN,
            "afterwards the critic's estimate fell to about 0 and validation FID no further (one seed)",
        ),
    ),
    "wgan_gp": WGAN_GP,
    "wgan_gp_critic_bn": tuple(each for each in WGAN_GP if each != NO_NORM),
    "wgan_report": WGAN_REPORT,
    "wgan_gp_report": (*WGAN_REPORT, NEAR_1),
    "stacked_dcgan": _but(DCGAN_PLAIN, *STACKED),
    "stacked_dcgan_r1": _but(DCGAN, *STACKED),
    **dict.fromkeys(("stacked_dcgan_behind", "stacked_pacgan"), _but(DCGAN_PLAIN, *STACKED[:1], *BEHIND)),
    "stacked_wgan_gp": _but(WGAN_GP, *STACKED),
}

"""Training as tutorials write it, on the same networks: the baseline of the speed measurements.

A DataLoader that makes a tensor of each image, optimisers with their defaults, real and fake images in separate passes,
unused gradients, a weight average updated parameter by parameter, and `.item()` at each step.
"""

import copy
import tempfile
from collections.abc import Iterable, Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.loops import digits
from benchmarks.timing import Advance
from gmlib.data import ImageDataset, join_channels
from gmlib.experiments.recipe import GANRecipe, Recipe, VAERecipe
from gmlib.experiments.run import networks_of
from gmlib.models import VAE, CausalNetwork
from gmlib.objectives import IWAE, critic_wasserstein, elbo, generator_minimax, gradient_penalty, iwae_bound

Batch = tuple[Tensor, Tensor]


def usual_loader(train: ImageDataset, batch_size: int, stack: int = 1) -> DataLoader:
    """Return a DataLoader as tutorials use it: torchvision's MNIST, and ToTensor for each image."""
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    class Ours(MNIST):
        """torchvision's dataset over digits in memory: the same work per image, without files."""

        def __init__(self) -> None:
            """Use the digits in place of files."""
            super(MNIST, self).__init__(tempfile.gettempdir(), transform=ToTensor())
            self.data, self.targets = train.images[:, 0], train.labels

    class Stacks(Dataset):
        """Several digits as the channels of one image."""

        def __init__(self) -> None:
            """Set the digits."""
            self.digits = Ours()

        def __len__(self) -> int:
            """Return the number of stacks."""
            return len(self.digits) // stack

        def __getitem__(self, index: int) -> Batch:
            """Return several digits as channels, and the label of the first."""
            images, labels = zip(*(self.digits[stack * index + i] for i in range(stack)), strict=True)
            return torch.cat(images), torch.tensor(labels[0])

    return DataLoader(Stacks() if stack > 1 else Ours(), batch_size, shuffle=True, drop_last=True)


def move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move an average of weights towards a network, parameter by parameter."""
    with torch.no_grad():
        for ours, theirs in zip(average.parameters(), network.parameters(), strict=True) if decay else ():
            ours.mul_(decay).add_(theirs, alpha=1 - decay)


def usual_vae(recipe: VAERecipe, loader: Iterable[Batch]) -> Iterator[None]:
    """Train a VAE as tutorials do; yield after each step."""
    vae = cast(VAE, recipe.build()).train()
    average = copy.deepcopy(vae)
    optimiser = recipe.optimiser(vae.parameters(), lr=recipe.lr)
    total = 0.0
    while True:
        for x, labels in loader:
            x, y = torch.bernoulli(x), labels if recipe.conditional else None
            optimiser.zero_grad()
            if isinstance(recipe.objective, IWAE):
                loss = -iwae_bound(vae.log_weights(x, y, samples=recipe.objective.samples)).mean()
            else:
                log_px, kl = vae(x, y)
                loss = -elbo(log_px, kl).mean()
            loss.backward()
            optimiser.step()
            move_average(average, vae, recipe.ema)
            total += loss.item()
            yield


def usual_game(recipe: GANRecipe, loader: Iterable[Batch]) -> Iterator[None]:
    """Train a GAN as tutorials do; yield after each critic step and the generator steps that follow it."""
    networks, game, classes = networks_of(recipe.build()), recipe.objective, recipe.conditional
    generator, critic = networks["generator"].train(), networks["critic"].train()
    average = copy.deepcopy(generator)
    options = {} if recipe.betas is None else {"betas": recipe.betas}
    learn_critic, learn_generator = (
        recipe.optimiser(network.parameters(), lr=recipe.lr, **options) for network in (critic, generator)
    )
    bce, wasserstein = nn.BCEWithLogitsLoss(), game.critic is critic_wasserstein
    total, steps = 0.0, 0

    def draw(count: int, y: Tensor | None) -> Tensor:
        return join_channels(generator(torch.randn(count, recipe.latent_dim), y), recipe.pack)

    while True:
        for x, labels in loader:
            y, real = labels if classes else None, join_channels(x, recipe.pack)
            ones, zeros = torch.ones(len(real)), torch.zeros(len(real))

            learn_critic.zero_grad()
            fake = draw(len(x), y).detach()
            judged, drawn = critic(real, y), critic(fake, y)
            loss = drawn.mean() - judged.mean() if wasserstein else bce(judged, ones) + bce(drawn, zeros)
            if game.penalty:
                between = real.clone()
                if game.penalty is gradient_penalty:
                    eps = torch.rand(len(real), 1, 1, 1)
                    between = eps * real + (1 - eps) * fake
                between.requires_grad_()
                scores = critic(between, y)
                (slope,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True)
                norm = slope.flatten(1).norm(2, dim=1)
                excess = (norm - 1) ** 2 if game.penalty is gradient_penalty else norm**2
                loss = loss + game.weight * excess.mean()
            loss.backward()
            learn_critic.step()
            if game.clip is not None:
                bound = cast(float, game.clip)
                for parameter in critic.parameters():
                    parameter.data.clamp_(-bound, bound)
            total, steps = total + loss.item(), steps + 1

            for _ in range(recipe.n_generator if steps % recipe.n_critic == 0 else 0):
                learn_generator.zero_grad()
                drawn = critic(draw(len(x), y), y)
                if wasserstein:
                    loss = -drawn.mean()
                else:
                    loss = -bce(drawn, zeros) if game.generator is generator_minimax else bce(drawn, ones)
                loss.backward()
                learn_generator.step()
                move_average(average, generator, recipe.ema)
                total += loss.item()
            yield


def usual(recipe: Recipe, loader: Iterable[Batch] | None = None) -> Advance:
    """Return the training of a recipe's networks as tutorials do it."""
    loader = usual_loader(digits(), recipe.batch_size, getattr(recipe, "stack", 1)) if loader is None else loader
    loop = usual_game(recipe, loader) if isinstance(recipe, GANRecipe) else usual_vae(cast(VAERecipe, recipe), loader)

    def advance(steps: int) -> None:
        for _ in range(steps):
            next(loop)

    return advance


class UsualMaskedConv2d(nn.Conv2d):
    """A masked convolution as tutorials write it: the whole kernel, times zeros and ones, at each step."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, centre: bool) -> None:
        """Build the layer."""
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        middle = kernel // 2
        mask = torch.ones(kernel, kernel)
        mask[middle, middle + centre :] = 0
        mask[middle + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution with the masked kernel."""
        return self._conv_forward(input, self.weight * cast(Tensor, self.mask), self.bias)


class UsualStack(nn.Module):
    """The network of `PixelCNN` with masked convolutions as tutorials write them."""

    def __init__(self, channels: int = 64, layers: int = 7) -> None:
        """Build the network."""
        super().__init__()
        self.first = UsualMaskedConv2d(1, channels, 7, centre=False)
        self.others = nn.ModuleList(UsualMaskedConv2d(channels, channels, 3, centre=True) for _ in range(layers - 1))
        self.last = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return the logit of each pixel, given the pixels before it."""
        h = self.first(x).relu()
        for layer in self.others:
            h = layer(h).relu() + h
        return self.last(h)


def usual_stack(bias_condition: int, spatial_condition: int) -> CausalNetwork:
    """Return a `UsualStack`, for a recipe in place of `PixelCNN`."""
    return cast(CausalNetwork, UsualStack())

"""A drawing of a network shows the shapes of its layers."""

import numpy as np
import torch
from matplotlib.colors import to_rgb

from gmlib.figures import layer_shapes, network_drawing
from gmlib.figures.style import COLOURS
from gmlib.models import DCCritic, DCGenerator, MLPCritic


def test_shapes_are_those_of_the_forward_pass():
    generator = DCGenerator(5, num_classes=10, width=4).train()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    assert layer_shapes(generator, torch.zeros(2, 5), torch.tensor([1, 2])) == [
        ("transposed\nconv 4×4", (16, 4, 4)),
        ("transposed\nconv 3×3\nstride 2", (8, 7, 7)),
        ("transposed\nconv 4×4\nstride 2", (4, 14, 14)),
        ("transposed\nconv 4×4\nstride 2", (1, 28, 28)),
    ]
    assert generator.training
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert layer_shapes(DCCritic(width=4), torch.zeros(2, 1, 28, 28))[-1] == ("conv 4×4", (1, 1, 1))
    mlp = MLPCritic(hidden=(6, 3))
    for _ in range(2):  # the hooks are removed
        assert layer_shapes(mlp, torch.zeros(2, 1, 28, 28)) == [("linear", (6,)), ("linear", (3,)), ("linear", (1,))]
    assert not any(module._forward_hooks for module in mlp.modules())


def test_a_network_is_drawn_with_its_shapes():
    image = torch.zeros(2, 1, 28, 28)
    pair = {"generator": (DCGenerator(5, width=4), torch.zeros(2, 5)), "critic": (DCCritic(width=4), image)}
    figure = network_drawing(pair)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(pair)
    top, bottom = ([text.get_text() for text in ax.texts] for ax in figure.axes)
    shapes = [text for text in top if text and not text.strip("0123456789×")]
    assert shapes == ["5", "16×4×4", "8×7×7", "4×14×14", "1×28×28"]
    assert [text for text in bottom if text in shapes] == shapes[:0:-1]
    # front, top and side, each filled and outlined, of five blocks
    patches = figure.axes[0].patches
    assert len(patches) == len(figure.axes[1].patches) == 30
    sizes = [np.ptp(patch.get_xy(), axis=0) for patch in patches]  # width and height
    pixels, channels = np.array([0, 4, 7, 14, 28]), np.array([5, 16, 8, 4, 1])
    heights, depths = np.maximum(2.4 * pixels / 28, 0.12), 0.12 + 0.16 * np.log2(1 + channels)
    fronts, tops, sides = (sizes[face::6] for face in (0, 2, 4))
    np.testing.assert_allclose(fronts, np.stack([depths, heights], 1))
    np.testing.assert_allclose(tops, np.stack([depths + 0.3 * heights, 0.3 * heights], 1))
    np.testing.assert_allclose(sides, np.stack([0.3 * heights, 1.3 * heights], 1))
    left = [patch.get_xy()[0, 0] for patch in patches[::6]]
    assert left[0] == 0
    np.testing.assert_allclose(np.diff(left), (depths + 0.3 * heights)[:-1] + 1.4)
    colours = [patch.get_facecolor()[:3] for patch in patches[::6]]
    assert colours == [to_rgb(COLOURS[0])] * 4 + [to_rgb(COLOURS[1])]  # one channel has a colour of its own

"""Sizes that no network has are refused where the network is built."""

from functools import partial

import numpy as np
import pytest

from gmlib.models import (
    ConvDecoder,
    ConvEncoder,
    DCCritic,
    DCGenerator,
    MLPCritic,
    MLPDecoder,
    MLPEncoder,
    MLPGenerator,
)

LATENT = (MLPEncoder, MLPDecoder, MLPGenerator, ConvEncoder, ConvDecoder, DCGenerator)
MLP = (*(partial(make, 2) for make in LATENT[:-1]), MLPCritic)
WRONG = [
    *[(make, {"latent_dim": size}) for make in LATENT for size in (0, 2.0)],
    *[(make, {"num_classes": -1}) for make in (*(partial(make, 2) for make in LATENT), MLPCritic, DCCritic)],
    *[(make, {"hidden": hidden}) for make in MLP for hidden in ((), 0, (100, 0), 2.5)],
    *[
        (make, {"channels": 0})
        for make in (MLPCritic, DCCritic, *(partial(make, 2) for make in LATENT[2:] if make is not ConvEncoder))
    ],
    *[(make, {"width": 0}) for make in (DCCritic, partial(DCGenerator, 2))],
    (partial(ConvDecoder, 2), {"width": 1}),
]


@pytest.mark.parametrize(("make", "wrong"), WRONG)
def test_sizes_that_no_network_has(refused, unchecked, make, wrong):
    with refused(f"got {next(iter(wrong))} "):
        make(**wrong)


def test_a_size_from_numpy_is_a_size(unchecked):
    assert MLPEncoder(2, hidden=np.int64(7)).net[0].out_features == 7

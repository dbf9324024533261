"""What holds for every figure."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def nothing_stays_open():
    before = plt.rcParams.copy()
    yield
    assert plt.get_fignums() == []
    assert plt.rcParams == before

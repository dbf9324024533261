"""A check that is made after every test of a figure."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    before = plt.rcParams.copy()
    yield
    assert plt.get_fignums() == []
    assert plt.rcParams == before

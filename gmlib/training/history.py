"""The history of a run: one row of numbers per epoch."""

import math
from dataclasses import dataclass, field
from typing import cast

from gmlib.errors import DivergedError

Row = dict[
    str, float | None
]  # None for a number that an epoch lacks, such as the generator's loss without a generator step


def require_finite(row: Row) -> None:
    """Raise DivergedError if a number of a row is NaN or infinite."""
    for name, value in row.items():
        if value is not None and not math.isfinite(value):
            raise DivergedError(f"{name} is {value} in epoch {row['epoch']}")


DEAD_AUC = 0.55  # a critic below it is close to 0.5, to drawing lots


@dataclass
class History:
    """Rows of numbers with the same columns, one per epoch, in order."""

    rows: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of epochs."""
        return len(self.rows)

    def column(self, name: str) -> list[float | None]:
        """Return one column, such as "validation_elbo": one value per epoch."""
        return [row[name] for row in self.rows]

    def wasserstein_estimate(self) -> list[float]:
        r"""Return a Wasserstein critic's estimate of the distance over the epochs.

        $$\mathbb{E}[f(x)] - \mathbb{E}[f(\tilde{x})] \le K\, W_1$$

        The critic's loss is the negative of this estimate, plus the penalty if there is one. K is the critic's Lipschitz
        constant. With weight clipping K is unknown; a gradient penalty pushes the slope towards 1 between real and
        generated images. For a critic with batch norm the bound does not hold, since it normalises real and generated
        images by different statistics.

        Returns:
            Mean score of real images minus mean score of generated images, one per epoch, from before the critic's steps.
        """
        return [cast(float, row["real_score"]) - cast(float, row["fake_score"]) for row in self.rows]

    def critic_died(self) -> str:
        """Return a sentence if the critic no longer tells held-out images from samples after the last epoch, otherwise ""."""
        auc = self.rows[-1].get("validation_auc") if self.rows else None
        if auc is None or auc >= DEAD_AUC:
            return ""
        return (
            f"the critic gives a held-out image a higher score than a sample in only {100 * auc:.0f} % of pairs: unless the "
            "samples are as good as real images, it has died, and the generator learns nothing from it; try other rates of both "
            "networks, or another bound or penalty"
        )

    def csv(self) -> str:
        """Return the rows as comma-separated text: a header, and one line per epoch, in which None is an empty field."""
        lines = [",".join(self.rows[0])] if self.rows else []
        for row in self.rows:
            lines.append(",".join("" if value is None else repr(value) for value in row.values()))
        return "\n".join(lines) + "\n"

"""What a run looked like: rows of numbers, one an epoch."""

import json
import math
from dataclasses import dataclass, field
from typing import cast

from gmlib.errors import DivergedError

Row = dict[str, float | None]  # a value is None where an epoch had nothing to say


def require_finite(row: Row) -> None:
    """Refuse a row of a run that has left the finite numbers.

    Args:
        row: its numbers; the first is the epoch.

    Raises:
        DivergedError: if one of them is infinite or no number.
    """
    for name, value in row.items():
        if value is not None and not math.isfinite(value):
            raise DivergedError(f"{name} is {value} in epoch {row['epoch']}")


@dataclass
class History:
    """Rows of numbers with the same columns, one an epoch, in order."""

    rows: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        """Count the epochs.

        Returns:
            Number of rows.
        """
        return len(self.rows)

    def add(self, row: Row) -> None:
        """Append the row of an epoch.

        Args:
            row: its numbers; the first is the epoch.

        Raises:
            DivergedError: if one of them is infinite or no number: training cannot recover from that.
        """
        require_finite(row)
        self.rows.append(row)

    def column(self, name: str) -> list[float | None]:
        """Give one quantity over the epochs.

        Args:
            name: a column, such as "validation_elbo".

        Returns:
            One value an epoch.
        """
        return [row[name] for row in self.rows]

    def wasserstein_estimate(self) -> list[float]:
        r"""Give a Wasserstein critic's estimate of the distance over the epochs.

        $$\mathbb{E}[f(x)] - \mathbb{E}[f(\tilde{x})] \le K\, W_1$$

        The loss of the critic is its negative, and has the penalty, if there is one, on top. K is the critic's steepest
        slope: not known where weights are clipped; a penalty asks for 1 at mixtures, on average. A critic with batch norm
        has no bound of this kind: images and samples pass it apart, each by their own statistics, and the difference is a
        number that may follow the distance, and no more.

        Returns:
            Mean score of images minus mean score of samples, one an epoch, each as the critic saw them before its steps.
        """
        return [cast(float, row["real_score"]) - cast(float, row["fake_score"]) for row in self.rows]

    def csv(self) -> str:
        """Write the rows as comma-separated text, with a header.

        Returns:
            One line an epoch; an empty field for None.
        """
        lines = [",".join(self.rows[0])] if self.rows else []
        for row in self.rows:
            lines.append(",".join("" if value is None else repr(value) for value in row.values()))
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """Write the rows as json, with null for None.

        Returns:
            A list of objects, one a line.
        """
        return "[\n" + ",\n".join(json.dumps(row) for row in self.rows) + "\n]\n"

"""What a run looked like: rows of numbers, one an epoch."""

from dataclasses import dataclass, field

Row = dict[str, float | None]  # a value is None where an epoch had nothing to say


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

    def column(self, name: str) -> list[float | None]:
        """Give one quantity over the epochs.

        Args:
            name: a column, such as "validation_elbo".

        Returns:
            One value an epoch.
        """
        return [row[name] for row in self.rows]

    def csv(self) -> str:
        """Write the rows as comma-separated text, with a header.

        Returns:
            One line an epoch; an empty field for None.
        """
        lines = [",".join(self.rows[0])] if self.rows else []
        for row in self.rows:
            lines.append(",".join("" if value is None else repr(value) for value in row.values()))
        return "\n".join(lines) + "\n"

"""The homework report of 2018: its claims, our verdict on each, and where our recipes differ from it.

`python -m audit` tests the claims and writes `claims.json`.
"""

from audit.costs import measured_costs
from audit.departures import Departure, departures
from audit.forest import Effect, forest, margin, margins
from audit.verdicts import chapters_of, claim, effects, listed, parts, verdict

__all__ = [
    "Departure",
    "Effect",
    "chapters_of",
    "claim",
    "departures",
    "effects",
    "forest",
    "listed",
    "margin",
    "margins",
    "measured_costs",
    "parts",
    "verdict",
]

"""What is usual for single values: their mean, and how far they scatter from one to the next. Pure.

An individuals chart (NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2): sigma is the mean
moving range of two divided by d2 = 1.128. A shift or a drift between the values of a baseline hardly widens
it, as it would the standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

D2: Final = 1.128
"""The mean range of two values from a normal distribution, in standard deviations."""
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is usual.

    Args:
        center: The mean.
        sigma: How far values scatter; 0 where all are the same.
        points: From how many values that was learned.
    """

    center: float
    sigma: float
    points: int

    @property
    def upper(self) -> float:
        """Three sigma above the center."""
        return self.center + 3 * self.sigma

    @property
    def lower(self) -> float:
        """Three sigma below the center."""
        return self.center - 3 * self.sigma

    def distance(self, value: float) -> float:
        """How far a value is from the center, in sigmas; infinite where nothing ever scattered.

        Args:
            value: Any.
        """
        off = value - self.center
        if self.sigma > 0:
            return off / self.sigma
        if abs(off) <= _SAME * max(1.0, abs(self.center)):
            return 0.0
        return math.copysign(math.inf, off)


def limits_of(values: Sequence[float], *, floor: float = 0.0) -> Limits:
    """Learns what is usual.

    Args:
        values: In the order of time, two at least; all finite.
        floor: The least that sigma can be: differences that nobody cares for are no signal.
    """
    center = math.fsum(values) / len(values)
    ranges = [abs(after - before) for before, after in pairwise(values)]
    sigma = math.fsum(ranges) / len(ranges) / D2
    if sigma <= _SAME * max(1.0, abs(center)):
        # Sums of the same value are not quite a multiple of it.
        sigma = 0.0
    return Limits(center=center, sigma=max(sigma, floor), points=len(values))

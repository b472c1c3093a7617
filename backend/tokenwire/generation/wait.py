"""How long a place in the line has yet to wait, about: from how long answers have taken lately and
how old those are that are being written.

Arithmetic on seconds. It refuses to know who waits, and what a clock is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence


# One answer moves the mean by this share at least, once there have been as many.
WEIGHT = 1 / 32
# Where nobody has had a turn for so many times what an answer usually takes, the mean is no guide.
OVERDUE = 3


class Recent:
    """How long answers have taken lately: an exponentially weighted mean."""

    def __init__(self) -> None:
        self.mean: float | None = None
        self._weight = 1.0

    def add(self, seconds: float) -> None:
        before = seconds if self.mean is None else self.mean
        self.mean = before + self._weight * (seconds - before)
        # The first ones count alike: else the very first would be most of it for long.
        self._weight = max(WEIGHT, self._weight / (1 + self._weight))


def wait_s(place: int, ages: Sequence[float], mean: float | None) -> float | None:
    """The seconds until the place (1 is next) has its turn, or None where nobody can know.

    The longer of two reckonings, as each is short where the other holds. If all answers took the
    mean, those of the given ages would end one after the other, and so would those who follow. And
    on the average a turn comes each mean divided by the number of turns, however uneven they are.
    With an even mean neither grows while time passes or when an answer ends.
    """
    if mean is None or not ages or min(ages) > OVERDUE * mean:
        return None
    rounds, turn = divmod(place - 1, len(ages))
    one_by_one = max(0.0, mean - sorted(ages, reverse=True)[turn]) + rounds * mean
    each = mean / len(ages)
    on_average = (place - 1) * each + max(0.0, each - min(ages))
    return max(one_by_one, on_average)

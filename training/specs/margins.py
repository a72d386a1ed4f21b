"""How much worse is still allowed: in score units, or as a share of the base's score."""

import re
from dataclasses import dataclass
from typing import Any

from hub.errors import BadInputError
from training.specs.schema import Number

MAX_MARGIN = 100.0  # of scores that run to 100, such as BLEU
_RELATIVE = re.compile(r"(\d{1,2}(?:\.\d{1,4})?)\s?%\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Margin:
    """0.02 of an accuracy is 2 points; `relative` ones, written 0.5%, are shares of the base."""

    value: float
    relative: bool = False

    @property
    def written(self) -> float | str:
        """As a spec file says it."""
        return f"{100 * self.value:g}%" if self.relative else self.value

    def __str__(self) -> str:
        return f"{self.written:g}" if isinstance(self.written, float) else self.written


def read_margin(value: Any, name: str) -> Margin:
    """The margin that a file writes as 0.02 or as 0.5%.

    Raises:
        BadInputError: no number, not above 0, or above what any score can differ by.
    """
    if isinstance(value, str):
        found = _RELATIVE.match(value.strip())
        if found is None or not float(found[1]):
            raise BadInputError(
                f"{name} is {value[:40]!r}; write a number such as 0.02, or a share of the base's "
                "score such as 0.5%."
            )
        return Margin(float(found[1]) / 100, relative=True)
    return Margin(Number(0, MAX_MARGIN, open_low=True).read(value, name))

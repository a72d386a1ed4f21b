"""What a job asks of the actions above it; `wiring` fills it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _nobody(entry: Any) -> bool:
    raise RuntimeError("Nobody has said what becomes of an entry of the merge queue.")


@dataclass
class Registries:
    # (entry of the merge queue that the caller has claimed) -> whether to look again at once
    queue_step: Callable[[Any], bool] = _nobody


registries = Registries()

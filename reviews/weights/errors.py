"""Why weights cannot be read, compared or merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.errors import CodedError


class WeightsError(CodedError):
    """Something about the weights is not as it must be."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with weights that could be opened: a fact, worded where people read it.

    `tensor` is None where a whole file is meant; `parameters` are values of JSON.
    """

    code: str
    tensor: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

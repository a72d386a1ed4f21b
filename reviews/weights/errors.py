"""Why weights cannot be read, compared or merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class WeightsError(Exception):
    """Something about the weights is not as it must be; `code` and `parameters` say what.

    The message is English for logs; doors tell `code` in the reader's language.
    """

    def __init__(self, code: str, **parameters: object) -> None:
        told = ", ".join(f"{name}={value}" for name, value in parameters.items())
        super().__init__(f"{code}: {told}" if told else code)
        self.code = code
        self.parameters = parameters


@dataclass(frozen=True)
class Problem:
    """What is wrong with weights that could be opened: a fact, worded where people read it.

    `tensor` is None where a whole file is meant; `parameters` are values of JSON.
    """

    code: str
    tensor: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

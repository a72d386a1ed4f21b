"""Tensors by module, one level at a time: the dots in their names make the tree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod


@dataclass(frozen=True, slots=True)
class HeadTensor:
    """One tensor as a header has it; `start` and `size_bytes` are in bytes of `file`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size_bytes: int
    file: str

    @property
    def parameters(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Module:
    """All tensors whose names begin with `path` and a dot; of the root, all there are."""

    path: str
    tensors: Sequence[HeadTensor]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @cached_property
    def parameters(self) -> int:
        return sum(tensor.parameters for tensor in self.tensors)

    @cached_property
    def size_bytes(self) -> int:
        return sum(tensor.size_bytes for tensor in self.tensors)

    @cached_property
    def dtypes(self) -> list[tuple[str, int]]:
        """Parameters by dtype, most first."""
        counts: Counter[str] = Counter()
        for tensor in self.tensors:
            counts[tensor.dtype] += tensor.parameters
        return counts.most_common()

    @cached_property
    def _split(self) -> tuple[list[Module], list[HeadTensor]]:
        skipped = len(self.path) + 1 if self.path else 0
        below: dict[str, list[HeadTensor]] = defaultdict(list)
        here = []
        for tensor in self.tensors:
            name, dot, rest = tensor.name[skipped:].partition(".")
            if dot and rest and name:
                below[tensor.name[: skipped + len(name)]].append(tensor)
            else:
                here.append(tensor)
        modules = [Module(path, tensors) for path, tensors in below.items()]
        return sorted(modules, key=lambda each: natural(each.name)), here

    @property
    def modules(self) -> list[Module]:
        """Those directly below, numbers in the order of their size: layer 2 before layer 10."""
        return self._split[0]

    @property
    def own(self) -> list[HeadTensor]:
        """Tensors directly here, in the order of the file."""
        return self._split[1]

    def within(self, path: str) -> Module:
        """The module at `path`; without tensors where there is none."""
        if not path:
            return self
        start = f"{path}."
        return Module(path, [each for each in self.tensors if each.name.startswith(start)])


def natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() and len(name) < 10 else (1, 0, name)

"""Carrying out a recipe: from opened checkpoints to safetensors, the same bytes every time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np

from hub.formats.safetensors_header import BITS_BY_DTYPE
from reviews.weights.errors import WeightsError
from reviews.weights.merging.conditions import left_as_is
from reviews.weights.merging.merged import CastTensor, CopiedTensor, MergedTensor, same_codes
from reviews.weights.merging.methods import METHODS, Method
from reviews.weights.merging.recipe import Choice, MergeRecipe
from reviews.weights.merging.works import Job, Part
from reviews.weights.tensors import Tensor
from reviews.weights.writer import Progress, write_checkpoint

SINGLE = "model.safetensors"
_WIDE = frozenset({"F32", "F64"})


class Weights(Protocol):
    """Of an opened checkpoint, what is merged."""

    @property
    def tensors(self) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True)
class MergedFiles:
    """`files` are by their path in the repository; `methods` say what was done to each tensor.

    A tensor that is no weight but a counter or a table has been copied and counts as "base".
    """

    files: Mapping[str, Path]
    methods: Mapping[str, Method]
    recipe_digest: str


def merge(
    recipe: MergeRecipe,
    base: Weights,
    models: Sequence[Weights],
    folder: Path,
    *,
    threads: int = 2,
    progress: Progress | None = None,
) -> MergedFiles:
    """Merge `models`, opened in the recipe's order, into files below `folder`.

    The files are laid out as the base's. Whether the checkpoints are those that the recipe names
    is for the caller to see to. The memory needed is a few pieces a thread.

    Raises: WeightsError: not_in_every_model, shapes_differ, not_averaged, dtype_needed, or one of a
        tensor's own, and what `progress` raises; nothing is left behind then.
    """
    tensors = merged_tensors(recipe, base, models)
    layout: dict[str, list[Tensor]] = defaultdict(list)
    for tensor, _ in tensors.values():
        layout[tensor.file].append(tensor)
    files = write_checkpoint(layout, folder, threads=threads, progress=progress)
    methods = {name: method for name, (_, method) in tensors.items()}
    return MergedFiles(files, methods, recipe.digest)


def merged_tensors(
    recipe: MergeRecipe, base: Weights, models: Sequence[Weights]
) -> dict[str, tuple[Tensor, Method]]:
    """Each tensor of the merge, not yet worked out, and its method; in the order of the base."""
    if len(models) != len(recipe.models):
        raise WeightsError("models_missing", named=len(recipe.models), given=len(models))
    files = list(dict.fromkeys(tensor.file for tensor in base.tensors.values()))
    plan = _Plan(recipe, base, models, files)
    names = dict.fromkeys(name for each in (base, *models) for name in each.tensors)
    found = {name: plan.tensor(name) for name in names}
    return {name: made for name, made in found.items() if made is not None}


@dataclass(frozen=True)
class _Plan:
    recipe: MergeRecipe
    base: Weights
    models: Sequence[Weights]
    files: Sequence[str]  # of the base, in its order

    def tensor(self, name: str) -> tuple[Tensor, Method] | None:
        """The merged tensor; None where a rule takes a side that has no such tensor."""
        base = self.base.tensors.get(name)
        models = [model.tensors.get(name) for model in self.models]
        file = self._file(name)
        choice = self.recipe.choose(name, file)
        if METHODS[choice.method].copies:
            sides = {Method.BASE: base, Method.OURS: models[0], Method.THEIRS: models[-1]}
            side = sides[choice.method]
            return None if side is None else (self._copy(side, file), choice.method)
        parts = [each for each in models if each is not None]
        if base is None or len(parts) < len(models):
            raise WeightsError("not_in_every_model", tensor=name)
        for part in parts:
            if part.shape != base.shape:
                shapes = [list(base.shape), list(part.shape)]
                raise WeightsError("shapes_differ", tensor=name, shapes=shapes)
        if left_as_is(base) or any(left_as_is(part) for part in parts):
            # Halfway between two codes or two counters lies nothing that means anything.
            if not all(same_codes(base, part) for part in parts):
                raise WeightsError("not_averaged", tensor=name, dtype=base.dtype)
            return self._copy(base, file), Method.BASE
        return self._merge(base, parts, choice, file), choice.method

    def _merge(
        self, base: Tensor, parts: Sequence[Tensor], choice: Choice, file: str
    ) -> MergedTensor:
        dtype = self.recipe.stored_dtype or base.dtype
        named = zip(parts, self.recipe.models, choice.weights, choice.densities, strict=True)
        job = Job(
            method=choice.method,
            base=base,
            parts=tuple(
                Part(tensor, model.source.weights, weight, density)
                for tensor, model, weight, density in named
            ),
            scale=choice.scale,
            t=choice.t,
            normalize=choice.normalize,
            seed=self.recipe.seed,
            floats=np.float64 if dtype in _WIDE else np.float32,
        )
        return MergedTensor(base.name, dtype, base.shape, file, job)

    def _copy(self, tensor: Tensor, file: str) -> Tensor:
        """As it is; quantised values, and floats where the recipe names a dtype, in that dtype."""
        dtype = self.recipe.stored_dtype
        stored = tensor.dtype in BITS_BY_DTYPE
        if stored and (dtype in {None, tensor.dtype} or left_as_is(tensor)):
            return CopiedTensor(tensor, file)
        if dtype is None:
            raise WeightsError("dtype_needed", tensor=tensor.name, dtype=tensor.dtype)
        return CastTensor(tensor, dtype, file)

    def _file(self, name: str) -> str:
        """The base's file of a tensor; for one the base lacks, its own if the base has such."""
        owner = next(each for each in (self.base, *self.models) if name in each.tensors)
        file = owner.tensors[name].file
        return _stored_in(file if file in self.files or not self.files else self.files[-1])


def _stored_in(file: str) -> str:
    """The path of a safetensors file in place of one of another format."""
    path = PurePosixPath(file)
    return file if path.suffix == ".safetensors" else str(path.with_name(SINGLE))

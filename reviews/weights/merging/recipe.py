"""The recipe of a merge: `.weighbridge/merge.yaml` of the merge commit says how weights came about.

merge_method: ties
base_model: {revision: 4f0c…, weights: 9a3e…}
models:
  - model: {revision: 81d2…, weights: 77b0…}
    parameters: {weight: 1.0, density: 0.5}
  - model: {repo_id: demo/other, revision: c0ff…, weights: 51aa…}
    parameters: {weight: 0.5, density: 0.5}
parameters: {lambda: 1.0}
dtype: bfloat16
seed: 7
rules:
  - tensors: model.embed_tokens.*
    merge_method: ours
  - layers: [0, 11]
    merge_method: linear
    parameters: {weights: [0.3, 0.7]}

The words are mergekit's where it has them. `base_model` is the common ancestor; the first of
`models` is ours, the second theirs. For each tensor the first rule counts that fits it; where
none does, the `merge_method` of the recipe. SLERP runs from ours (t = 0) to theirs.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from hub.formats.bounded_yaml import dump_yaml
from hub.formats.path_patterns import PathPattern
from reviews.weights.merging.methods import DTYPES, METHODS, Method
from reviews.weights.places import place_of

RECIPE_PATH = ".weighbridge/merge.yaml"


@dataclass(frozen=True, slots=True)
class Source:
    """Weights named for good: a commit, and the digest of the tensors in it."""

    revision: str
    weights: str
    repo_id: str | None = None  # None: the repository of the recipe

    def to_dict(self) -> dict[str, Any]:
        return _told(repo_id=self.repo_id, revision=self.revision, weights=self.weights)


@dataclass(frozen=True, slots=True)
class MergeModel:
    """A model that is merged: `weight` is its share, `density` the share of its delta kept."""

    source: Source
    weight: float = 1.0
    density: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.source.to_dict(),
            "parameters": {"weight": self.weight, "density": self.density},
        }


@dataclass(frozen=True, slots=True)
class Parameters:
    """What holds for all models; None takes the recipe's, then the method's default.

    `scale` is written `lambda`. `weights` and `densities`, one a model, are a rule's alone.
    """

    scale: float | None = None
    t: float | None = None
    normalize: bool | None = None
    weights: tuple[float, ...] | None = None
    densities: tuple[float, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        return _told(
            **{"lambda": self.scale}, t=self.t, normalize=self.normalize,
            weights=None if self.weights is None else list(self.weights),
            densities=None if self.densities is None else list(self.densities),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """A method for the tensors that every given pattern fits; `*` in one stands for any text.

    `files` are those of the base; `layers` are the first and the last, counted from 0.
    """

    method: Method
    tensors: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None
    layers: tuple[int, int] | None = None
    parameters: Parameters = field(default=Parameters())

    def fits(self, name: str, file: str) -> bool:
        if self.tensors is not None and not _matches(self.tensors, name):
            return False
        if self.files is not None and not _matches(self.files, file):
            return False
        if self.layers is None:
            return True
        layer = place_of(name).layer
        return layer is not None and self.layers[0] <= layer <= self.layers[1]

    def to_dict(self) -> dict[str, Any]:
        return _told(
            tensors=None if self.tensors is None else list(self.tensors),
            files=None if self.files is None else list(self.files),
            layers=None if self.layers is None else list(self.layers),
            merge_method=self.method.value,
            parameters=self.parameters.to_dict() or None,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """How one tensor is merged, every default filled in; numbers of models in their order."""

    method: Method
    weights: tuple[float, ...]
    densities: tuple[float, ...]
    scale: float
    t: float
    normalize: bool


@dataclass(frozen=True, slots=True)
class MergeRecipe:
    """How one checkpoint is made of others, to the same bytes every time.

    `dtype` is what floats are stored in, None for each tensor's own in the base.
    """

    method: Method
    base: Source
    models: tuple[MergeModel, ...]
    parameters: Parameters = field(default=Parameters())
    dtype: str | None = None
    seed: int = 0
    rules: tuple[Rule, ...] = ()

    def choose(self, name: str, file: str) -> Choice:
        """How the tensor of this name, in this file of the base, is merged."""
        fitting = (rule for rule in self.rules if rule.fits(name, file))
        return self.choose_by(next(fitting, Rule(self.method)))

    def choose_by(self, rule: Rule) -> Choice:
        """What a rule says, with what it leaves to the recipe and to the method."""
        own, all_ = rule.parameters, self.parameters
        default = METHODS[rule.method].normalizes
        return Choice(
            method=rule.method,
            weights=own.weights or tuple(model.weight for model in self.models),
            densities=own.densities or tuple(model.density for model in self.models),
            scale=_first(own.scale, all_.scale, 1.0),
            t=_first(own.t, all_.t, 0.5),
            normalize=_first(own.normalize, all_.normalize, default),
        )

    @property
    def stored_dtype(self) -> str | None:
        """`dtype` by its name in safetensors."""
        return None if self.dtype is None else DTYPES[self.dtype]

    def to_dict(self) -> dict[str, Any]:
        """Plain values in the file's own shape; `read_recipe` of them is this recipe again."""
        return _told(
            merge_method=self.method.value,
            base_model=self.base.to_dict(),
            models=[model.to_dict() for model in self.models],
            parameters=self.parameters.to_dict() or None,
            dtype=self.dtype,
            seed=self.seed,
            rules=[rule.to_dict() for rule in self.rules] or None,
        )

    @property
    def digest(self) -> str:
        """SHA-256 of what the recipe says, however it is written."""
        text = json.dumps(
            self.to_dict(), allow_nan=False, ensure_ascii=False, separators=(",", ":"),
            sort_keys=True,
        )  # fmt: skip
        return hashlib.sha256(text.encode()).hexdigest()

    def dump(self) -> str:
        """The recipe as a file: one text for one recipe."""
        return dump_yaml(self.to_dict())


def _matches(patterns: tuple[str, ...], text: str) -> bool:
    return any(PathPattern.parse(pattern).matches(text) for pattern in patterns)


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _told(**values: Any) -> dict[str, Any]:
    """Without what was left to its default."""
    return {key: value for key, value in values.items() if value is not None}

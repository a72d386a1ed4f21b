"""The weights of one revision of a repository, opened: headers are read, tensors are not yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal, Self

from reviews.weights.adapter_config import CONFIG, WEIGHTS, Adapter, lora_config
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.gguf_files import FoundGguf, read_gguf
from reviews.weights.opening import read_json
from reviews.weights.patches import PATCH, Patch
from reviews.weights.safetensors_files import (
    Found,
    inside,
    parent_of,
    read_safetensors,
    read_single,
)
from reviews.weights.tensors import Tensor

Format = Literal["safetensors", "gguf", "adapter"]

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
# What trainers leave beside weights to go on later; no part of the model.
_TRAINER = re.compile(r"(optimizer|scheduler|scaler|rng_state|random_states|training_args|sampler)")
MAX_TOKENIZER_BYTES = 40 * 1024 * 1024
MAX_TOKENIZER_NODES = 3_000_000
MAX_TOKENS = 1_000_000


@dataclass
class Checkpoint:
    """Tensors by name, and what lies beside them. Close it, or use it in `with`.

    `left_out` names files of weights that are no part of the model as loaders read it, `unread`
    those of the model whose header cannot be read: what they hold is not known.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    config: dict[str, Any] | None
    format: Format
    problems: tuple[Problem, ...]
    left_out: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    tokenizer: Path | tuple[str, ...] | None = None
    adapter: Adapter | None = None
    patch: Patch | None = None
    _kept: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptors that the tensors read from."""
        self._kept.close()

    @cached_property
    def tokens(self) -> Sequence[str] | None:
        """The text of each token id, from the tokenizer; None where it cannot be told."""
        if not isinstance(self.tokenizer, Path):
            return self.tokenizer
        found = read_json(
            "tokenizer.json",
            self.tokenizer,
            max_bytes=MAX_TOKENIZER_BYTES,
            max_nodes=MAX_TOKENIZER_NODES,
        )
        return None if isinstance(found, Problem) else _tokens(found)


def open_checkpoint(files: Mapping[str, Path]) -> Checkpoint:
    """The weights among `files`, a map of repository paths to local files.

    What is wrong with the files stands in `problems`. Raises: WeightsError: a file is gone.
    """
    weights = {name: path for name, path in files.items() if not _is_trainers(name)}
    folder = _main_folder(weights)
    problems: list[Problem] = []
    config = _config(files, folder, problems)
    with ExitStack() as kept:
        adapter = _adapter(weights, folder, problems, kept)
        patch = _patch(weights, folder, problems, kept)
        beside = (WEIGHTS, PATCH)
        plain = {name: weights[name] for name in weights if PurePosixPath(name).name not in beside}
        found: Found = read_safetensors(plain, folder, kept)
        kind: Format = "safetensors"
        if not found.tensors and not found.problems and _has_gguf(weights, folder):
            found, kind = read_gguf(weights, folder, kept), "gguf"
        if not found.tensors and adapter is not None:
            found.tensors, kind = dict(adapter.tensors), "adapter"
        if not found.tensors and not found.problems and inside(folder, WEIGHTS) not in weights:
            problems.append(Problem("no_weights"))
        implied = found if isinstance(found, FoundGguf) else FoundGguf()
        return Checkpoint(
            tensors=found.tensors,
            metadata=found.metadata,
            config=config or implied.config or None,
            format=kind,
            problems=(*found.problems, *problems, *_unreadable(weights)),
            left_out=tuple(_left_out(weights, folder, found, kind)),
            unread=tuple(found.unread),
            tokenizer=files.get(inside(folder, "tokenizer.json")) or implied.tokens,
            adapter=adapter,
            patch=patch,
            _kept=kept.pop_all(),
        )


def _adapter(
    files: Mapping[str, Path], folder: str, problems: list[Problem], kept: ExitStack
) -> Adapter | None:
    weights, settings = inside(folder, WEIGHTS), inside(folder, CONFIG)
    if weights not in files:
        return None
    found = read_single(weights, files[weights], kept)
    if found.problems:
        problems += found.problems
        return None
    if settings not in files:
        problems.append(Problem("adapter_config_missing", None, {"file": settings}))
        return None
    values = read_json(settings, files[settings])
    if isinstance(values, Problem):
        problems.append(values)
        return None
    try:
        config = lora_config(values)
    except WeightsError as error:
        problems.append(Problem(error.code, None, {**error.parameters, "file": settings}))
        return None
    if config.refused is not None:
        problems.append(Problem("adapter_not_supported", None, {"reason": config.refused}))
    return Adapter(found.tensors, config)


def _patch(
    files: Mapping[str, Path], folder: str, problems: list[Problem], kept: ExitStack
) -> Patch | None:
    name = inside(folder, PATCH)
    if name not in files:
        return None
    found = read_single(name, files[name], kept)
    problems += found.problems
    return None if found.problems else Patch(found.tensors, found.metadata, name)


def _is_trainers(name: str) -> bool:
    return _TRAINER.match(PurePosixPath(name).name) is not None


def _main_folder(files: Mapping[str, Path]) -> str:
    """The folder of the model: the one with weights that lies least deep."""
    folders = {parent_of(name) for name in files if name.endswith((".safetensors", ".gguf"))}
    return min(folders, key=lambda folder: (bool(folder), folder.count("/"), folder), default="")


def _config(files: Mapping[str, Path], folder: str, problems: list[Problem]) -> Any:
    name = inside(folder, "config.json")
    if name not in files:
        return None
    config = read_json(name, files[name])
    if isinstance(config, Problem):
        problems.append(config)
        return None
    return config


def _unreadable(files: Mapping[str, Path]) -> list[Problem]:
    """Pickles run code when they are opened: they are named, never read."""
    pickles = sorted(name for name in files if name.endswith(_PICKLES))
    return [Problem("not_readable", None, {"file": name}) for name in pickles]


def _has_gguf(files: Mapping[str, Path], folder: str) -> bool:
    return any(name.endswith(".gguf") and parent_of(name) == folder for name in files)


def _left_out(files: Mapping[str, Path], folder: str, found: Found, kind: Format) -> list[str]:
    elsewhere = [
        name
        for name in files
        if name.endswith((".safetensors", ".gguf"))
        and (parent_of(name) != folder or (name.endswith(".gguf") and kind != "gguf"))
    ]
    return sorted([*elsewhere, *found.left_out])


def _tokens(tokenizer: dict[str, Any]) -> tuple[str, ...] | None:
    """Texts by token id from a `tokenizer.json`: the model's vocabulary and added tokens."""
    model = tokenizer.get("model")
    pairs: list[tuple[object, object]]
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, list):  # Unigram: [text, score] in the order of the ids
        pairs = [
            (each[0], at) for at, each in enumerate(vocabulary) if isinstance(each, list) and each
        ]
    elif isinstance(vocabulary, dict):
        pairs = list(vocabulary.items())
    else:
        return None
    added = tokenizer.get("added_tokens")
    for each in added if isinstance(added, list) else []:
        if isinstance(each, dict):
            pairs.append((each.get("content"), each.get("id")))
    texts = {
        at: text
        for text, at in pairs
        if isinstance(text, str) and type(at) is int and 0 <= at < MAX_TOKENS
    }
    return tuple(texts.get(at, "") for at in range(max(texts, default=-1) + 1))

"""Sparse patches: a model folder shown to loaders with the patched tensors in place of the base's.

The format is that of docs/weights.md. Only patched tensors are written, as one more shard: the base
is never copied.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.runner.errors import BadModelError
from training.runner.folders import PATCH_FILES, check_safetensors, show_model

if TYPE_CHECKING:
    import torch

(PATCH,) = PATCH_FILES
FORMAT, VERSION = "weights_patch", "1"
INDEX = "model.safetensors.index.json"
# Its name comes behind all others: loaders that read every tensor of every shard take the last.
LAST = "patched.safetensors"


def show_whole(folder: Path, view: Path) -> Path:
    """`view`, filled with a model as `show_model` does; a sparse patch in its root is part of it.

    Raises: BadModelError, also when the patch does not fit exactly these weights.
    """
    show_model(folder, view)
    if (folder / PATCH).is_file():
        check_safetensors(folder / PATCH)
        _show_patched(folder, view)
    return view


def _show_patched(folder: Path, view: Path) -> None:
    """Put the patched tensors among the weights in `view`, which are links."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    where = _tensors(view)
    try:
        patched = dict(_patched(folder / PATCH, view, where))
    except SafetensorError as error:
        raise BadModelError(f"{PATCH} cannot be read ({error}); make it again.") from error
    names = sorted(set(where.values()))
    shards = {name: f"base-{number:05}.safetensors" for number, name in enumerate(names)}
    for name, shard in shards.items():
        (view / name).rename(view / shard)
    try:
        save_file(patched, view / LAST, metadata={"format": "pt"})
    except OSError as error:
        raise BadModelError(
            "The patched tensors are larger than a run's scratch: write full weights first."
        ) from error
    weight_map = {name: LAST if name in patched else shards[file] for name, file in where.items()}
    (view / INDEX).unlink(missing_ok=True)  # a link to the model's own
    (view / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def _tensors(view: Path) -> dict[str, str]:
    """The file that holds each tensor of the base."""
    from safetensors import safe_open

    files = sorted(path.name for path in view.glob("model*.safetensors"))
    if "model.safetensors" in files:
        files = ["model.safetensors"]
    found: dict[str, str] = {}
    for name in files:
        with safe_open(str(view / name), framework="pt") as file:
            found |= dict.fromkeys(file.keys(), name)
    return found


def _patched(
    patch: Path, view: Path, where: Mapping[str, str]
) -> Iterator[tuple[str, "torch.Tensor"]]:
    from safetensors import safe_open

    with safe_open(str(patch), framework="pt") as file:
        about, held = file.metadata() or {}, set(file.keys())
        if about.get(FORMAT) != VERSION:
            raise BadModelError(f"{PATCH} is of an unknown version; make it again.")
        names = {name.removesuffix(".values") for name in held if name.endswith(".values")}
        if held != {f"{name}.{half}" for name in names for half in ("indices", "values")}:
            raise BadModelError(f"{PATCH} holds halves of tensors; make it again.")
        for name in sorted(names):
            if name not in where:
                raise BadModelError(f"{PATCH} is not for this model: it has no {name}.")
            with safe_open(str(view / where[name]), framework="pt") as base:
                digest = _digest(base, name)
                tensor = base.get_tensor(name)
            if about.get(f"{name}.base") != digest:
                raise BadModelError(f"{PATCH} was made for another {name}; make it for this base.")
            places, fresh = (file.get_tensor(f"{name}.{half}") for half in ("indices", "values"))
            yield name, _replaced(name, tensor, places, fresh)


def _digest(base: Any, name: str) -> str:
    """As `reviews.weights.digests` gives it: over dtype, shape and content."""
    import torch
    from blake3 import blake3

    piece = base.get_slice(name)
    hasher = blake3(f"{piece.get_dtype()}\n{tuple(piece.get_shape())}\n".encode())
    content = base.get_tensor(name).reshape(-1).view(torch.uint8).numpy()
    hasher.update(content.data)
    return f"v1:{hasher.hexdigest()}"


def _replaced(
    name: str, tensor: "torch.Tensor", places: "torch.Tensor", fresh: "torch.Tensor"
) -> "torch.Tensor":
    """A copy of `tensor` with elements replaced, as integers: no rule about NaN touches them."""
    import torch

    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    fits = places.dtype in (torch.int32, torch.int64) and places.dim() == 1
    if not fits or fresh.shape != places.shape or fresh.dtype != tensor.dtype:
        raise BadModelError(f"{PATCH} does not fit {name}; make it again.")
    at = places.to(torch.int64)
    if len(at):
        rising = bool((at[1:] > at[:-1]).all())
        if not rising or int(at[0]) < 0 or int(at[-1]) >= tensor.numel():
            raise BadModelError(f"{PATCH} has indices out of order or range for {name}.")
    kind = integers[tensor.element_size()]
    result = tensor.clone()
    result.view(-1).view(kind)[at] = fresh.view(kind)
    return result

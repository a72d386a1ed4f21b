"""What must not be merged: weights that lie about themselves or cannot work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from reviews.weights.checkpoint import Checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.dtypes import BYTES, FLOATS, Floats
from reviews.weights.errors import Problem, WeightsError
from reviews.weights.families import Expected, expected_tensors, knows_heads, needs_head
from reviews.weights.tensors import Tensor
from reviews.weights.ties import embedding_names, is_tied, says_tied

# What could not be looked at is told and stops nothing here: whether weights that nobody reads may
# be merged is for people and for the gate to say.
NOT_BLOCKING = frozenset({"config_not_checked", "not_readable", "adapter_not_supported"})
_DTYPES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip
_NAMES_TOLD = 20


def check_checkpoint(
    checkpoint: Checkpoint,
    *,
    values: bool,
    progress: Callable[[Tensor], None] = lambda tensor: None,
) -> list[Problem]:
    """All that is wrong with an opened checkpoint; `values` also reads every tensor.

    `progress` is called with each tensor whose values have been read.
    """
    problems = list(checkpoint.problems)
    problems += _against_config(checkpoint)
    if values:
        beside = checkpoint.adapter.tensors if checkpoint.adapter is not None else {}
        for tensor in {**beside, **checkpoint.tensors}.values():
            problems += check_values(tensor)
            progress(tensor)
        problems += check_ties(checkpoint)
    return problems


def blocks(problem: Problem) -> bool:
    """Whether the problem keeps weights from being merged."""
    return problem.code not in NOT_BLOCKING


def check_values(tensor: Tensor) -> list[Problem]:
    """The problems `nan` and `inf` of one tensor, each with how many and the first one's index."""
    counts = {"nan": 0, "inf": 0}
    first = {"nan": 0, "inf": 0}
    if not _may_be_wrong(tensor):
        return []
    for start, stop in tensor.pieces():
        try:
            wrong = _not_finite(tensor, start, stop)
        except WeightsError as error:
            return [Problem(error.code, tensor.name, {"dtype": tensor.dtype, "file": tensor.file})]
        if wrong is None:
            continue
        for code, found in (("nan", np.isnan(wrong)), ("inf", np.isinf(wrong))):
            if not counts[code] and found.any():
                first[code] = start + int(found.argmax())
            counts[code] += int(np.count_nonzero(found))
    return [
        Problem(code, tensor.name, {"count": count, "first": first[code], "file": tensor.file})
        for code, count in counts.items()
        if count
    ]


def _may_be_wrong(tensor: Tensor) -> bool:
    """Whether its numbers can be other than finite: no integers, nothing that is not decoded."""
    if tensor.has_codes:
        return tensor.dtype in FLOATS or tensor.dtype in BYTES
    return tensor.span is None or tensor.dtype not in _UNDECODED


_UNDECODED = frozenset({"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"})
# Half-width integers that hold the codes of a dtype, and the bits of its exponent.
_EXPONENTS = {"BF16": (np.uint16, 0x7F80), "F16": (np.uint16, 0x7C00)}


def _not_finite(tensor: Tensor, start: int, stop: int) -> Floats | None:
    """The numbers of a piece that holds some that are not finite; None where all are."""
    exponent = _EXPONENTS.get(tensor.dtype)
    if tensor.has_codes and exponent is not None:  # twice as fast as decoding first
        kind, bits = exponent
        codes = tensor.codes(start, stop).view(kind) & kind(bits)
        if not len(codes) or int(codes.max()) < bits:
            return None
    found = tensor.values(start, stop)
    return None if np.isfinite(found).all() else found


def check_ties(
    checkpoint: Checkpoint, digests: Callable[[Tensor], str] = tensor_digest
) -> list[Problem]:
    """tie_contradicted: the configuration makes one of two embeddings that differ: one is lost."""
    names = embedding_names(checkpoint)
    if names is None or not says_tied(checkpoint.config) or is_tied(checkpoint, digests):
        return []
    return [Problem("tie_contradicted", names[1], {"other": names[0]})]


def _against_config(checkpoint: Checkpoint) -> list[Problem]:
    if checkpoint.format == "adapter" or not checkpoint.tensors:
        return []
    config = checkpoint.config
    if config is None:
        return [Problem("config_not_checked", None, {"reason": "no_config"})]
    if config.get("quantization_config") is not None:
        return [Problem("config_not_checked", None, {"reason": "quantized"})]
    problems = [] if checkpoint.format == "gguf" else list(_dtypes(checkpoint, config))
    try:
        family = expected_tensors(config)
    except WeightsError as error:
        return [*problems, Problem(error.code, None, error.parameters)]
    if family is None:
        about = {"reason": "model_type", "model_type": str(config.get("model_type"))[:60]}
        return [*problems, Problem("config_not_checked", None, about)]
    found = _names_and_shapes(checkpoint.tensors, config, family)
    # What a file that cannot be read holds is not missing.
    return [*problems, *(each for each in found if each.code != "missing" or not checkpoint.unread)]


def _names_and_shapes(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any], family: Expected
) -> Iterator[Problem]:
    """missing, unexpected, shape_mismatch. A body alone is stored without its prefix."""
    # "transformer." also begins the body of models that answer questions.
    prefixes = (family.prefix, "transformer.")
    starts = (each for each in prefixes if any(name.startswith(each) for name in tensors))
    prefix = next(starts, "")
    wanted = {prefix + name: shape for name, shape in family.required.items()}
    closed = knows_heads(config)
    head = needs_head(config, family) if prefix else None
    if head is not None:
        wanted[head] = family.heads[head]
    for name, shape in wanted.items():
        if name not in tensors:
            yield Problem("missing", name, {"expected": list(shape)})
    for name, tensor in tensors.items():
        expected = wanted.get(name, family.heads.get(name))
        of_body = name.startswith(prefix)
        if expected is None and family.ignored.fullmatch(name) is None and (of_body or closed):
            yield Problem("unexpected", name, {"file": tensor.file})
        elif expected is not None and tensor.shape != expected:
            about = {"expected": list(expected), "found": list(tensor.shape), "file": tensor.file}
            yield Problem("shape_mismatch", name, about)


def _dtypes(checkpoint: Checkpoint, config: Mapping[str, Any]) -> Iterator[Problem]:
    """dtype_mismatch: one for each dtype other than the configuration's, with its tensors."""
    said = str(config.get("dtype") or config.get("torch_dtype") or "").removeprefix("torch.")
    expected = _DTYPES.get(said)
    if expected is None:
        return
    others: dict[str, list[str]] = defaultdict(list)
    for name, tensor in checkpoint.tensors.items():
        if tensor.dtype != expected and (tensor.dtype in FLOATS or tensor.dtype in BYTES):
            others[tensor.dtype].append(name)
    for dtype, names in others.items():
        about = {
            "expected": expected,
            "found": dtype,
            "count": len(names),
            "tensors": names[:_NAMES_TOLD],
        }
        yield Problem("dtype_mismatch", names[0], about)

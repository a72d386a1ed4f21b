"""Reading the numbers of one tensor."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from hub.jobs import working
from hub.jobs.working import Claim
from reviews.jobs.weight_files import WeightFile, lay_out
from reviews.models import TensorReading
from reviews.weights.errors import WeightsError
from reviews.weights.gguf_files import stored_tensors
from reviews.weights.opening import open_file
from reviews.weights.safetensors_files import read_single
from reviews.weights.tensor_numbers import tensor_numbers
from reviews.weights.tensors import Tensor


def carry_out(reading_id: int) -> None:
    """Read a tensor, unless that is done or somebody is at it. Safe to repeat and to kill."""
    working.carry_out(TensorReading.objects.all(), reading_id, _read)


def _read(claim: Claim[TensorReading], scratch: Path, kept: ExitStack) -> None:
    file = WeightFile(**claim.row.file)
    path = lay_out(claim.row.repository, [file], scratch)[file.path]
    tensor = _tensors(file.path, path, kept).get(claim.row.tensor)
    if tensor is None:
        raise WeightsError("file_missing", file=file.path)
    claim.finish(numbers=tensor_numbers(tensor, claim.keep).to_dict())


def _tensors(name: str, path: Path, kept: ExitStack) -> dict[str, Tensor]:
    if name.endswith(".gguf"):
        return stored_tensors(open_file(name, path, kept))
    return read_single(name, path, kept).tensors

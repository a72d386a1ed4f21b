"""Writing safetensors from tensors of any kind: streamed, one result, all files or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock

from hub.formats.safetensors_header import BITS_BY_DTYPE
from reviews.weights.dtypes import FLOATS, Codes, encode
from reviews.weights.errors import WeightsError
from reviews.weights.pieces import keep_heap
from reviews.weights.tensors import Tensor

INDEX = "model.safetensors.index.json"
_COPY_BYTES = 1 << 20

# How often it is told, while one tensor is long in the writing.
_TOLD_EVERY_SECONDS = 1.0
# What it is told: bytes of tensors written so far, and all of them. Whoever wants the writing to
# end raises there: it is called in the caller's thread, which may have a database connection.
Progress = Callable[[int, int], None]


def stored_bytes(tensor: Tensor) -> int:
    """The size of a tensor in a safetensors file. Raises: WeightsError: dtype_not_stored."""
    bits = BITS_BY_DTYPE.get(tensor.dtype)
    if bits is None:
        raise WeightsError("dtype_not_stored", tensor=tensor.name, dtype=tensor.dtype)
    return tensor.count * bits // 8


def write_checkpoint(
    layout: Mapping[str, Sequence[Tensor]],
    folder: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Write each file of `layout`, by its path in the repository, below `folder`.

    Several files get an index beside them. A name appears once its file is whole, the index last;
    what was begun is taken away when something fails. Of every tensor a piece a thread is held.
    `metadata` go into the header of every file.

    Raises: WeightsError: file_outside, dtype_not_stored, or a tensor's own.
    """
    keep_heap()
    with ExitStack() as kept:
        about = {"format": "pt", **(metadata or {})}
        files = [_begin(kept, folder, name, each, about) for name, each in layout.items()]
        todo = [(file, at) for file in files for at in range(len(file.tensors))]
        # The longest first, so that no thread is left with one alone at the end.
        todo.sort(key=lambda each: -stored_bytes(each[0].tensors[each[1]]))
        total = sum(stored_bytes(file.tensors[at]) for file, at in todo)
        work = _Work(total, progress)
        with ThreadPoolExecutor(threads) as pool:
            work.watch({pool.submit(work.write, *each) for each in todo})
        written = {file.name: file.finish() for file in files}
    if len(files) > 1:
        name, content = _index(files)
        written[name] = _write_small(folder, name, content)
    return written


@dataclass
class _File:
    """A file under way at `scratch`; `places` are where the bytes of each tensor begin."""

    name: str
    target: Path
    scratch: Path
    descriptor: int
    tensors: Sequence[Tensor]
    places: Sequence[int]

    def finish(self) -> Path:
        self.scratch.replace(self.target)
        return self.target


@dataclass
class _Work:
    total: int
    progress: Progress | None
    done: int = 0
    failed: bool = False
    lock: Lock = field(default_factory=Lock)

    def write(self, file: _File, at: int) -> None:
        """Write one tensor, unless another failed meanwhile."""
        try:
            tensor, place = file.tensors[at], file.places[at]
            for content in _contents(tensor):
                if self.failed:
                    return
                write_all(file.descriptor, content, place)
                place += len(content)
                with self.lock:
                    self.done += len(content)
        except BaseException:
            self.failed = True
            raise

    def watch(self, writing: set[Future[None]]) -> None:
        """Tell how far it is until all is written. Raises what a thread or the told one raises."""
        try:
            while writing:
                ended, writing = wait(writing, _TOLD_EVERY_SECONDS, FIRST_COMPLETED)
                for each in ended:
                    each.result()
                if self.progress is not None:
                    self.progress(self.done, self.total)
        except BaseException:
            self.failed = True
            raise


def _begin(
    kept: ExitStack,
    folder: Path,
    name: str,
    tensors: Sequence[Tensor],
    metadata: Mapping[str, str],
) -> _File:
    """The header of a file is written and its length set; its temporary name is gone in the end."""
    # Wide elements first: then each lies at a multiple of its size, as readers like it.
    ordered = sorted(tensors, key=lambda tensor: -BITS_BY_DTYPE.get(tensor.dtype, 0))
    header, places, size = _header(ordered, metadata)
    target = _inside(folder, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.part")
    kept.callback(scratch.unlink, missing_ok=True)
    descriptor = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    kept.callback(os.close, descriptor)
    os.truncate(descriptor, size)
    write_all(descriptor, header, 0)
    return _File(name, target, scratch, descriptor, ordered, places)


def _header(tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> tuple[bytes, list[int], int]:
    """The header's bytes, where each tensor begins in the file, and the size of the file."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    starts, end = [], 0
    for tensor in tensors:
        start, end = end, end + stored_bytes(tensor)
        starts.append(start)
        shape, offsets = list(tensor.shape), [start, end]
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": shape, "data_offsets": offsets}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    begin = 8 + len(text)
    header = len(text).to_bytes(8, "little") + text
    return header, [begin + start for start in starts], begin + end


def codes_in(tensor: Tensor, dtype: str, start: int, stop: int) -> Codes:
    """A piece of a tensor as a file of `dtype` holds it; values are rounded to the nearest.

    Raises: WeightsError: dtype_not_stored.
    """
    if tensor.has_codes and tensor.dtype == dtype:
        return tensor.codes(start, stop)
    if tensor.dtype not in FLOATS or dtype not in FLOATS:
        raise WeightsError("dtype_not_stored", tensor=tensor.name, dtype=tensor.dtype)
    return encode(tensor.values(start, stop), dtype)


def _contents(tensor: Tensor) -> Iterator[memoryview]:
    """The bytes of a tensor in pieces."""
    if tensor.has_codes or tensor.dtype in FLOATS:
        for start, stop in tensor.pieces():
            yield codes_in(tensor, tensor.dtype, start, stop).view("u1").data
        return
    span = tensor.span  # of elements that nothing here decodes
    if span is None:
        raise WeightsError("dtype_not_stored", tensor=tensor.name, dtype=tensor.dtype)
    for place in range(0, span.size, _COPY_BYTES):
        found = bytearray(min(_COPY_BYTES, span.size - place))
        span.read_into(memoryview(found), place)
        yield memoryview(found)


def write_all(descriptor: int, content: bytes | memoryview, place: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], place + written)


def _inside(folder: Path, name: str) -> Path:
    """Where a repository's path lies below `folder`. Raises: WeightsError: file_outside."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
        raise WeightsError("file_outside", file=name)
    return folder / path


def _index(files: Sequence[_File]) -> tuple[str, bytes]:
    """The path and the content of the file that says which tensor lies in which shard."""
    folder = PurePosixPath(files[0].name).parent
    tensors = [(tensor, PurePosixPath(file.name).name) for file in files for tensor in file.tensors]
    content = {
        "metadata": {"total_size": sum(stored_bytes(tensor) for tensor, _ in tensors)},
        "weight_map": dict(sorted((tensor.name, name) for tensor, name in tensors)),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return str(folder / INDEX), text.encode()


def _write_small(folder: Path, name: str, content: bytes) -> Path:
    target = _inside(folder, name)
    scratch = target.with_name(f".{target.name}.part")
    scratch.write_bytes(content)
    return scratch.replace(target)

"""What loading a pickle would import, told without loading it."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hub.formats.pickle_names import KNOWN, reaches_out, sorted_imports
from hub.formats.pickle_walk import PUT_TOGETHER, PickleError, PickleTooLargeError, Walk, walk


def imports(content: bytes) -> list[str]:
    found = Walk()
    walk(io.BytesIO(content), found)
    return list(found.imports)


class Harmful:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, ("true",)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_tells_what_it_calls(protocol):
    assert [name for name in imports(pickle.dumps([Harmful()], protocol)) if reaches_out(name)] == [
        f"{os.system.__module__}.system"
    ]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_and_arrays_are_harmless(protocol):
    value = {"a": np.arange(5), "b": collections.OrderedDict(c=1.5), "d": "os\nsystem", "e": {1}}
    assert set(imports(pickle.dumps(value, protocol))) <= KNOWN


def saved(pickled: bytes, **more: bytes) -> bytes:
    """As `torch.save` writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in more.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_file_of_torch_is_a_zip_of_pickles():
    assert imports(saved(pickle.dumps(Harmful()))) == [f"{os.system.__module__}.system"]
    assert "TorchScript code" in imports(saved(pickle.dumps(1), **{"archive/code/a.py": b"x"}))


# What scanners have been fooled by: each hides `os.system` from whoever reads carelessly.
HIDDEN = {
    "a text taken off again": b"\x80\x04\x8c\x02os\x8c\x01x0\x8c\x06system\x93.",
    "a name from the memo": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x9400h\x00h\x01\x93.",
    "a name put together": b"\x80\x04\x8c\x02os\x8c\x06system\x86\x93.",
    "an extension": b"\x80\x02\x82\x01.",
    "a broken end": b"\x80\x04cos\nsystem\n\x8c\x04true\x85R",
    "bytes behind the first pickle": pickle.dumps(1) + pickle.dumps(Harmful()),
    "old letters": b"(S'true'\nios\nsystem\n.",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_is_found_or_told_as_hidden(name):
    found = Walk()
    try:
        walk(io.BytesIO(HIDDEN[name]), found)
    except PickleError:
        assert name == "a broken end"
    assert any(reaches_out(one) for one in found.imports), found.imports


def test_names_are_put_together_only_of_texts_that_stand_right_before():
    assert imports(HIDDEN["a name put together"]) == [PUT_TOGETHER]
    assert imports(HIDDEN["a name from the memo"]) == ["os.system"]


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF....", b"\x80\x04", b"PK\x03\x04 but no zip", b"\x80\x04\x8d" + b"\xff" * 8,
     saved(pickle.dumps(1))[:-30]],
    # A zip holds the time of its making: as a name it would differ between the workers.
    ids=["nothing", "other format", "protocol alone", "no zip", "too long", "cut off"],
)  # fmt: skip
def test_what_cannot_be_read_is_never_called_harmless(content):
    with pytest.raises(PickleError):
        imports(content)


def test_a_member_that_does_not_fit_its_checksum_is_refused():
    content = saved(pickle.dumps("a long harmless text"))
    with pytest.raises(PickleError):
        imports(content.replace(b"harmless", b"harmful!", 1))


def test_long_ones_end_by_a_limit(monkeypatch):
    monkeypatch.setattr("hub.formats.pickle_walk.OPCODES_LIMIT", 1000)
    with pytest.raises(PickleTooLargeError):
        imports(pickle.dumps(list(range(5000))))
    with pytest.raises(PickleTooLargeError):
        imports(b"\x80\x04B\xff\xff\xff\x7f" + b"x" * 100)


def test_mutated_pickles_raise_their_own_error_alone():
    chance = random.Random(7)
    seeds = [pickle.dumps(Harmful(), 2), saved(pickle.dumps({"a": [1, "b"]}, 4)), *HIDDEN.values()]
    for _ in range(1500):
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(content))
            content[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
            content = content or bytearray(b"\x80")
        with contextlib.suppress(PickleError):
            imports(bytes(content))


def test_imports_are_sorted_by_what_they_mean():
    names = ["os.system", "torch._utils._rebuild_tensor_v2", "mymodel.Thing", "builtins.getattr"]
    assert sorted_imports(names) == {
        "reaching": ["builtins.getattr", "os.system"],
        "unknown": ["mymodel.Thing"],
        "known": ["torch._utils._rebuild_tensor_v2"],
    }
    assert reaches_out("functools.partial")

"""Our reader agrees with the reference library on good files and refuses crafted ones."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from hub.formats.errors import SafetensorsError
from hub.formats.safetensors_header import MAX_HEADER_BYTES, read_header


def crafted(header, data_bytes=8, *, length=None, raw=None):
    body = json.dumps(header).encode() if raw is None else raw
    length = len(body) if length is None else length
    return length.to_bytes(8, "little") + body + bytes(data_bytes)


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **extra):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **extra}


def read(content):
    return read_header(io.BytesIO(content), file_bytes=len(content))


def test_a_file_of_the_reference_library_is_read():
    content = save(
        {
            "model.embed.weight": np.zeros((4, 3), np.float32),
            "model.norm.weight": np.ones((3,), np.float16),
            "empty": np.zeros((0, 5), np.int64),
        },
        metadata={"format": "pt"},
    )
    header = read(content)
    found = {tensor.name: (tensor.dtype, tensor.shape) for tensor in header.tensors}
    assert found == {
        "model.embed.weight": ("F32", (4, 3)),
        "model.norm.weight": ("F16", (3,)),
        "empty": ("I64", (0, 5)),
    }
    assert header.total_parameters == 15
    assert header.parameters_by_dtype == {"F32": 12, "F16": 3, "I64": 0}
    assert header.metadata == {"format": "pt"}
    norm = next(each for each in header.tensors if each.name == "model.norm.weight")
    assert np.frombuffer(content[norm.start : norm.end], np.float16).tolist() == [1, 1, 1]


def test_a_file_without_tensors_is_read():
    assert read(crafted({}, 0)).tensors == ()
    assert read(crafted(None, 0, raw=b"{}      ")).total_parameters == 0


def test_half_byte_types_count_parameters_and_not_bytes():
    assert read(crafted({"a": entry("F4", (16,))})).total_parameters == 16


CRAFTED = [
    b"",
    b"\x02\0\0\0",
    crafted({}, 0, length=3),
    crafted({}, 0, length=MAX_HEADER_BYTES + 1),
    (2**64 - 1).to_bytes(8, "little") + b"{}",
    (MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{}" + bytes(MAX_HEADER_BYTES),
    crafted(None, 0, raw=b" {}"),
    crafted(None, 0, raw=b"[]"),
    crafted(None, 0, raw=b"{"),
    crafted(None, 0, raw=b'{"\xff": 1}'),
    crafted(None, raw=b'{"a":' + json.dumps(entry()).encode() + b',"a":'
            + json.dumps(entry()).encode() + b"}"),
    crafted({"a": entry(offsets=(0, 2**63))}),
    crafted({"a": entry(offsets=(0, 4))}),
    crafted({"a": entry(offsets=(8, 0))}),
    crafted({"a": entry(offsets=(4, 12))}),
    crafted({"a": entry(offsets=(0, 8, 16))}),
    crafted({"a": entry(), "b": entry()}, 16),
    crafted({"a": entry()}, 9),
    crafted({"a": entry()}, 0),
    crafted({"a": entry(shape=(2, -1))}),
    crafted({"a": entry(shape=(True, 2))}),
    crafted({"a": entry(shape=(2.0,))}),
    crafted({"a": entry(shape=(2**62, 2**62, 4))}),
    crafted({"a": entry(shape=(1,) * 8 + (2,))}),
    crafted({"a": entry(dtype="F31")}),
    crafted({"a": entry(dtype=["F32"])}),
    crafted({"a": entry(secret=1)}),
    crafted({"a": {"dtype": "F32"}}),
    crafted({"a": [1]}),
    crafted({"": entry()}),
    crafted({"a\0b": entry()}),
    crafted({"a\u202eb": entry()}),
    crafted({"n" * 513: entry()}),
    crafted({"__metadata__": {"a": 1}}, 0),
    crafted({"__metadata__": ["a"]}, 0),
    crafted({"a": {"dtype": {"b": {"c": {"d": 1}}}}}),
    crafted({f"t{i}": entry(shape=(0,), offsets=(0, 0)) for i in range(50_001)}, 0),
]  # fmt: skip


@pytest.mark.parametrize("content", CRAFTED)
def test_a_crafted_file_is_refused(content):
    with pytest.raises(SafetensorsError):
        read(content)


def test_a_name_that_looks_like_a_path_is_only_a_name():
    assert read(crafted({"../../etc/passwd": entry()})).tensors[0].name == "../../etc/passwd"


@given(st.binary(max_size=200), st.integers(0, 40))
def test_any_bytes_are_read_or_refused(noise, data_bytes):
    for content in (noise, crafted(None, data_bytes, raw=b"{" + noise)):
        try:
            read(content)
        except SafetensorsError:
            continue


@given(st.data())
def test_a_damaged_file_is_read_or_refused(data):
    content = bytearray(crafted({"a": entry(), "__metadata__": {"format": "pt"}}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read(bytes(content)).total_parameters >= 0
    except SafetensorsError:
        return


@pytest.mark.parametrize(
    ("content", "fault", "tensor"),
    [
        (crafted(None, 8, raw=b'{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{}}'),
         "duplicate", "a"),
        (crafted({"a": entry(), "b": entry(offsets=(4, 12))}, 12), "overlapping", "b"),
        (crafted({"a": entry(offsets=(8, 16))}, 16), "unreadable", "a"),
        (crafted({"a": entry("XX")}), "unreadable", None),
    ],
)  # fmt: skip
def test_a_refusal_names_the_tensor_to_blame(content, fault, tensor):
    with pytest.raises(SafetensorsError) as raised:
        read(content)
    assert (raised.value.fault, raised.value.tensor) == (fault, tensor)

"""Sparse patches: exact, idempotent, smaller, and refused where they do not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from reviews.jobs.comparing import effective
from reviews.weights import full, patch_writing, patches
from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.checks import blocks, check_checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.errors import WeightsError
from reviews.weights.pairing import pair_tensors
from tests.weights.folders import (
    files_in,
    opened,
    some_tensors,
    values_of,
    write_model,
    write_shards,
)
from tests.weights.test_adapters import QUERY, factors, write_adapter

UP = "model.layers.0.mlp.up_proj.weight"


def nothing() -> None:
    return


def edited(tensors, places=((UP, (3, 2)), ("model.norm.weight", (5,)))):
    after = {name: held.copy() for name, held in tensors.items()}
    for name, at in places:
        after[name][at] = -7
    return after


@pytest.fixture
def patched(tmp_path):
    """A folder with a base and a patch, and what it stands for."""
    before, after = some_tensors(), edited(some_tensors())
    write_model(tmp_path / "base", before)
    write_model(tmp_path / "after", after)
    with opened(tmp_path / "base") as base, opened(tmp_path / "after") as candidate:
        made = patch_writing.make_patch(base, candidate, tmp_path / "base" / patches.PATCH)
    assert (made.tensors, made.elements) == (2, 2)
    return tmp_path / "base", after


def rewritten(folder, edit, metadata=None):
    """The patch's file with its tensors and metadata edited."""
    path = folder / patches.PATCH
    held = load_file(path)
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
    edit(held, about)
    save_file(held, path, metadata=about)


def problems_of(folder):
    with opened(folder) as model:
        found = effective(model)
        told = check_checkpoint(found, values=True)
        assert found.tensors.keys() == model.tensors.keys()
        return {(p.code, p.tensor, p.parameters.get("reason")) for p in told if blocks(p)}


def test_a_patch_stands_for_the_whole_weights(patched):
    folder, after = patched
    with opened(folder) as base:
        found = effective(base)
        assert found.problems == ()
        for name, expected in after.items():
            assert (values_of(found.tensors[name]) == expected).all()
        write_model(folder.parent / "again", after)
        with opened(folder.parent / "again") as whole:
            kinds = {pair.kind for pair in pair_tensors(whole, found)}
            assert kinds == {"same"}, "its digests are those of the whole weights"


def test_full_weights_are_the_bytes_that_the_author_had(patched, tmp_path):
    folder, after = patched
    write_model(tmp_path / "whole", after)
    with opened(folder) as base:
        changed = full.changed_tensors(base, effective(base))
        written = full.write_full(changed, files_in(folder), tmp_path / "out", nothing)
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert written["model.safetensors"].read_bytes() == whole


def test_of_shards_only_those_are_written_whose_tensors_changed(tmp_path):
    before, after = some_tensors(), edited(some_tensors(), ((UP, (0, 0)),))
    write_shards(tmp_path / "base", before, count=3)
    write_shards(tmp_path / "after", after, count=3)
    with opened(tmp_path / "base") as base, opened(tmp_path / "after") as candidate:
        patch_writing.make_patch(base, candidate, tmp_path / "base" / patches.PATCH)
    with opened(tmp_path / "base") as base:
        changed = full.changed_tensors(base, effective(base))
        written = full.write_full(changed, files_in(tmp_path / "base"), tmp_path / "out", nothing)
    (name,) = written
    assert written[name].read_bytes() == (tmp_path / "after" / name).read_bytes()


DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "U8": np.uint8,
    "BOOL": np.bool_,
}  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    dtype=st.sampled_from(sorted(DTYPES)),
    size=st.integers(1, 700),
    piece=st.sampled_from([1, 7, 64, 100_000]),
)
def test_any_bits_come_through(tmp_path_factory, data, dtype, size, piece):
    """NaN payloads, -0.0 and infinities too: nothing is ever a number on the way."""
    folder = tmp_path_factory.mktemp("any")
    width = np.dtype(DTYPES[dtype]).itemsize
    seed = data.draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    count = data.draw(st.integers(1, min(size, 9)))
    places = random.choice(size, count, replace=False)
    old = random.integers(0, 2 if dtype == "BOOL" else 256, (size, width), dtype=np.uint8)
    new = old.copy()
    new[places] ^= 1
    filler = {"filler": np.zeros(5000, np.float32)}
    for name, content in (("base", old), ("after", new)):
        tensor = np.ascontiguousarray(content).view(DTYPES[dtype]).reshape(size)
        write_model(folder / name, {"w": tensor, **filler})
    with opened(folder / "base") as base, opened(folder / "after") as candidate:
        path = folder / "base" / patches.PATCH
        made = patch_writing.make_patch(base, candidate, path)
        assert made.elements == count
    with opened(folder / "base") as base:
        found = effective(base)
        assert found.problems == ()
        tensor = found.tensors["w"]
        parts = [tensor.codes(*bounds).view(np.uint8).tobytes() for bounds in tensor.pieces(piece)]
        assert b"".join(parts) == new.tobytes()
        again = patches.PatchedTensor(tensor, tensor.places, tensor.fresh)
        assert again.codes(0, size).tobytes() == new.tobytes(), "twice is once"


def test_special_numbers_come_through_in_bf16(tmp_path):
    codes = np.array([0x8000, 0x7FC1, 0xFF81, 0x7F80, 0x0001], dtype=np.uint16)
    header = b'{"w":{"dtype":"BF16","shape":[4096],"data_offsets":[0,8192]}}'
    header += b" " * (-len(header) % 8)
    before = np.zeros(4096, np.uint16)
    after = before.copy()
    after[1000:1005] = codes
    for name, held in (("base", before), ("after", after)):
        (tmp_path / name).mkdir()
        content = len(header).to_bytes(8, "little") + header + held.tobytes()
        (tmp_path / name / "model.safetensors").write_bytes(content)
    path = tmp_path / "base" / patches.PATCH
    with opened(tmp_path / "base") as base, opened(tmp_path / "after") as candidate:
        patch_writing.make_patch(base, candidate, path)
    with opened(tmp_path / "base") as base:
        tensor = effective(base).tensors["w"]
        assert tensor.codes(998, 1007).tolist() == [0, 0, *codes, 0, 0]


def test_two_makers_write_the_same_bytes(patched, tmp_path):
    folder, after = patched
    first = (folder / patches.PATCH).read_bytes()
    write_model(tmp_path / "plain", some_tensors())
    write_model(tmp_path / "whole", after)
    with opened(tmp_path / "plain") as base, opened(tmp_path / "whole") as candidate:
        patch_writing.make_patch(base, candidate, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("code", "edit"),
    [
        ("patch_empty", lambda held: None),
        ("patch_not_possible", lambda held: held.pop("model.norm.weight")),
        ("patch_not_possible", lambda held: held.update({UP: held[UP].astype(np.float16)})),
        ("patch_no_smaller", lambda held: held.update({n: held[n] + 1 for n in held})),
    ],
)
def test_no_patch_is_made_where_none_helps(tmp_path, code, edit):
    after = some_tensors()
    edit(after)
    write_model(tmp_path / "base", some_tensors())
    write_model(tmp_path / "after", after)
    out = tmp_path / patches.PATCH
    with (
        opened(tmp_path / "base") as base,
        opened(tmp_path / "after") as candidate,
        pytest.raises(WeightsError) as refused,
    ):
        patch_writing.make_patch(base, candidate, out)
    assert refused.value.code == code and not out.exists()


def _renamed(old, new):
    def edit(held, about):
        for end in (patches.INDICES, patches.VALUES):
            held[new + end] = held.pop(old + end)

    return edit


def _indices(values, dtype=np.int32):
    def edit(held, about):
        held[f"{UP}.indices"] = np.array(values, dtype)
        held[f"{UP}.values"] = np.zeros(len(values), np.float32)

    return edit


def _put(name, value):
    return lambda held, about: held.update({name: value})


@pytest.mark.parametrize(
    ("told", "edit"),
    [
        (("patch_indices_wrong", UP, "range"), _indices([3, 128])),
        (("patch_indices_wrong", UP, "range"), _indices([-1, 3])),
        (("patch_indices_wrong", UP, "range"), _indices([2**40], np.int64)),
        (("patch_indices_wrong", UP, "order"), _indices([5, 4])),
        (("patch_indices_wrong", UP, "order"), _indices([5, 5])),
        (("patch_indices_wrong", UP, "dtype"), _indices([5], np.uint64)),
        (("patch_does_not_fit", UP, "dtype"), _put(f"{UP}.values", np.zeros(1, np.float64))),
        (("patch_does_not_fit", UP, "shape"), _put(f"{UP}.values", np.zeros(2, np.float32))),
        (("patch_does_not_fit", UP, "shape"), _put(f"{UP}.indices", np.zeros((1, 1), np.int32))),
        (("patch_does_not_fit", UP, "half_missing"), lambda held, about: held.pop(f"{UP}.values")),
        (("patch_does_not_fit", "other", "half_missing"), _put("other", np.zeros(1, np.float32))),
        (("patch_does_not_fit", "no.such", "not_in_base"), _renamed(UP, "no.such")),
        (("patch_other_base", UP, None), lambda held, about: about.pop(f"{UP}.base")),
        (("patch_version", None, None), lambda held, about: about.update(weights_patch="2")),
        (("patch_version", None, None), lambda held, about: about.pop("weights_patch")),
    ],
)
def test_what_does_not_fit_is_named_and_blocks(patched, told, edit):
    folder, _after = patched
    assert problems_of(folder) == set()
    rewritten(folder, edit)
    assert told in problems_of(folder)
    with opened(folder) as model, pytest.raises(WeightsError):
        full.changed_tensors(model, effective(model))


def test_a_patch_for_other_weights_is_not_applied(patched):
    folder, _after = patched
    other = some_tensors()
    other[UP] = other[UP] + 1
    write_model(folder, other)
    assert problems_of(folder) == {("patch_other_base", UP, None)}
    with opened(folder) as model:
        found = effective(model)
        assert tensor_digest(found.tensors[UP]) == tensor_digest(model.tensors[UP])


def test_a_patch_alone_is_no_model(patched):
    folder, _after = patched
    (folder / "model.safetensors").unlink()
    assert {code for code, _tensor, _why in problems_of(folder)} == {
        "no_weights", "patch_without_base",
    }  # fmt: skip


def test_an_adapter_adapts_what_the_patch_has_made(tmp_path):
    before = {f"{QUERY}.weight": np.ones((8, 6), np.float32), "rest": np.ones(900, np.float32)}
    after = edited(before, ((f"{QUERY}.weight", (1, 1)),))
    write_model(tmp_path / "base", before)
    write_model(tmp_path / "after", after)
    with opened(tmp_path / "base") as base, opened(tmp_path / "after") as candidate:
        patch_writing.make_patch(base, candidate, tmp_path / "base" / patches.PATCH)
    tensors, a, b = factors(QUERY, 8, 6)
    write_adapter(tmp_path / "base", tensors)
    with opened(tmp_path / "base") as base:
        found = effective(base)
        got = values_of(found.tensors[f"{QUERY}.weight"])
        old, a64, b64 = (each.astype(np.float64) for each in (after[f"{QUERY}.weight"], a, b))
        # Four operations in float32; what nearly cancels keeps the error of its terms.
        bound = 4 * np.finfo(np.float32).eps * (np.abs(old) + 3 * np.abs(b64) @ np.abs(a64))
        assert (np.abs(got - (old + 3 * b64 @ a64)) <= bound).all()
        files = files_in(tmp_path / "base")
        written = full.write_full(
            full.changed_tensors(base, found), files, tmp_path / "out", nothing
        )
    whole = load_file(written["model.safetensors"])
    assert (whole[f"{QUERY}.weight"] == got).all() and (whole["rest"] == 1).all()


def test_any_bytes_of_a_patch_are_only_a_problem(patched):
    folder, _after = patched
    path = folder / patches.PATCH
    whole = path.read_bytes()
    chance = np.random.default_rng(5)
    for turn in range(400):
        content = bytearray(whole[: chance.integers(0, len(whole))] if turn % 4 == 0 else whole)
        for _ in range(1 + turn % 3):
            if content:
                content[chance.integers(0, len(content))] = chance.integers(0, 256)
        path.write_bytes(content)
        with open_checkpoint(files_in(folder)) as model:
            check_checkpoint(effective(model), values=True)

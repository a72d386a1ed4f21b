"""Which tensor became which: renamed, swapped, cast, reshaped, tied or parted."""

import time
from collections import Counter

import numpy as np
import pytest

from reviews.weights.digests import tensor_digest
from reviews.weights.pairing import pair_tensors
from reviews.weights.ties import tie_change
from tests.weights.folders import TINY, opened, some_tensors, values_of, write_model, write_shards

UP = "model.layers.0.mlp.up_proj.weight"
OTHER_UP = "model.layers.1.mlp.up_proj.weight"
EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
TIED = {"model_type": "llama", "tie_word_embeddings": True}


def compared(tmp_path, before, after, configs=(None, None)):
    """The pairs by name, and what became of tied embeddings."""
    sides = (("before", before, configs[0]), ("after", after, configs[1]))
    for name, tensors, config in sides:
        if tensors is not None:
            write_model(tmp_path / name, tensors, config=config)
    with opened(tmp_path / "before") as base, opened(tmp_path / "after") as candidate:
        pairs = pair_tensors(base, candidate)
        names = [each.name for each in pairs]
        assert len(names) == len(set(names))
        return {each.name: each for each in pairs}, tie_change(base, candidate, tensor_digest)


def kinds(pairs):
    return {name: each.kind for name, each in pairs.items() if each.kind != "same"}


def test_the_same_model_is_the_same_in_every_layout(tmp_path):
    write_shards(tmp_path / "before", some_tensors(), count=3)
    write_shards(tmp_path / "after", some_tensors(), count=2)
    pairs, _ = compared(tmp_path, None, None)
    assert kinds(pairs) == {}
    assert len(pairs) == 5
    assert any(each.moved_file for each in pairs.values())


def test_one_changed_number_changes_one_tensor(tmp_path):
    after = some_tensors()
    after[UP][3, 4] = np.nextafter(after[UP][3, 4], np.float32(9))
    assert kinds(compared(tmp_path, some_tensors(), after)[0]) == {UP: "changed"}


def test_the_sign_of_zero_is_a_change(tmp_path):
    before, after = {"a": np.zeros(3, np.float32)}, {"a": np.array([0, -0.0, 0], np.float32)}
    assert kinds(compared(tmp_path, before, after)[0]) == {"a": "changed"}


def test_a_renamed_tensor_is_found_by_its_content(tmp_path):
    after = some_tensors()
    after["model.final_norm.weight"] = after.pop("model.norm.weight")
    pairs, _ = compared(tmp_path, some_tensors(), after)
    assert kinds(pairs) == {"model.final_norm.weight": "renamed"}
    assert pairs["model.final_norm.weight"].renamed_from == "model.norm.weight"


def test_of_equal_tensors_each_is_renamed_to_the_name_most_alike(tmp_path):
    ones = np.ones(4, np.float32)
    before = {"a.0.norm": ones, "a.1.norm": ones, "a.1.bias": ones}
    after = {"b.0.norm": ones, "b.1.norm": ones, "b.1.bias": ones}
    pairs, _ = compared(tmp_path, before, after)
    assert {name: each.renamed_from for name, each in pairs.items()} == {
        "b.0.norm": "a.0.norm", "b.1.norm": "a.1.norm", "b.1.bias": "a.1.bias",
    }  # fmt: skip


def test_two_tensors_that_changed_places_are_told_as_such(tmp_path):
    after = some_tensors()
    after[UP], after[OTHER_UP] = after[OTHER_UP], after[UP]
    pairs, _ = compared(tmp_path, some_tensors(), after)
    assert kinds(pairs) == {UP: "renamed", OTHER_UP: "renamed"}
    assert (pairs[UP].renamed_from, pairs[UP].swapped_with) == (OTHER_UP, OTHER_UP)
    assert pairs[OTHER_UP].swapped_with == UP


def test_tensors_that_went_round_in_a_circle_are_told(tmp_path):
    names = [f"layers.{layer}.weight" for layer in range(4)]
    before = {name: np.full(3, at, np.float32) for at, name in enumerate(names)}
    after = {name: before[names[(at + 1) % 4]] for at, name in enumerate(names)}
    pairs, _ = compared(tmp_path, before, after)
    assert [pairs[name].renamed_from for name in names] == [*names[1:], names[0]]
    assert {each.swapped_with for each in pairs.values()} == {None}


def test_a_tensor_copied_over_another_is_a_change(tmp_path):
    after = some_tensors()
    after[UP] = after[OTHER_UP]
    assert kinds(compared(tmp_path, some_tensors(), after)[0]) == {UP: "changed"}


def test_a_chain_that_loses_a_tensor_is_no_circle(tmp_path):
    before = {name: np.full(3, at, np.float32) for at, name in enumerate("abcd")}
    after = {"a": before["b"], "b": before["c"], "c": np.full(3, 9, np.float32), "d": before["d"]}
    assert set(kinds(compared(tmp_path, before, after)[0]).values()) == {"changed"}


def test_a_chain_of_every_tensor_and_equal_ones_cost_seconds(tmp_path):
    names = [f"layers.{at}.weight" for at in range(4000)]
    numbers = {name: np.full(1, at, np.float32) for at, name in enumerate(names)}
    shifted = dict(
        zip(names, [*list(numbers.values())[1:], np.full(1, -1, np.float32)], strict=True)
    )
    start = time.process_time()
    assert set(kinds(compared(tmp_path / "chain", numbers, shifted)[0]).values()) == {"changed"}
    ones = np.ones(1, np.float32)
    pairs, _ = compared(
        tmp_path / "equal",
        {f"a.{name}": ones for name in names},
        {f"b.{name}": ones for name in names},
    )
    assert all(each.renamed_from == f"a.{name[2:]}" for name, each in pairs.items())
    assert time.process_time() - start < 15


@pytest.mark.parametrize("added", [8, -3])
def test_rows_at_the_end_of_an_embedding_are_counted(tmp_path, added):
    after = some_tensors()
    rows = after[EMBEDDING]
    after[EMBEDDING] = np.vstack([rows, rows[:added]]) if added > 0 else rows[:added].copy()
    pairs, _ = compared(tmp_path, some_tensors(), after)
    assert kinds(pairs) == {EMBEDDING: "reshaped"}
    assert pairs[EMBEDDING].rows_added == added


def test_another_shape_adds_no_rows(tmp_path):
    after = some_tensors()
    after[UP] = after[UP].T.copy()
    pairs, _ = compared(tmp_path, some_tensors(), after)
    assert (pairs[UP].kind, pairs[UP].rows_added) == ("reshaped", None)


def test_a_cast_is_a_change_of_dtype(tmp_path):
    after = {name: each.astype(np.float16) for name, each in some_tensors().items()}
    pairs, _ = compared(tmp_path, some_tensors(), after)
    assert Counter(each.kind for each in pairs.values()) == {"dtype": 4, "same": 1}


def test_tensors_come_and_go(tmp_path):
    after = some_tensors()
    del after["model.norm.weight"]
    after["model.extra.weight"] = np.ones(2, np.float32)
    assert kinds(compared(tmp_path, some_tensors(), after)[0]) == {
        "model.extra.weight": "added", "model.norm.weight": "removed",
    }  # fmt: skip


def test_a_prefix_of_all_names_does_not_hide_what_changed(tmp_path):
    after = {name.removeprefix("model."): each * 2 for name, each in some_tensors().items()}
    pairs, _ = compared(tmp_path, some_tensors(), after)
    assert set(kinds(pairs).values()) == {"changed"}
    assert all(each.renamed_from == f"model.{name}" for name, each in pairs.items())


def test_names_that_end_alike_by_chance_are_not_paired(tmp_path):
    after = some_tensors()
    del after["model.norm.weight"]
    after["extra.model.norm.weight"] = np.ones(3, np.float32)
    assert kinds(compared(tmp_path, some_tensors(), after)[0]) == {
        "extra.model.norm.weight": "added", "model.norm.weight": "removed",
    }  # fmt: skip


def test_a_tied_embedding_that_is_now_stored_twice_is_no_change(tmp_path):
    after = some_tensors() | {HEAD: some_tensors()[EMBEDDING]}
    pairs, tie = compared(tmp_path, some_tensors(), after, (TIED, TIED))
    assert kinds(pairs) == {}
    assert pairs[HEAD].renamed_from == EMBEDDING
    assert tie is None


def test_a_broken_tie_is_told(tmp_path):
    after = some_tensors() | {HEAD: some_tensors()[EMBEDDING] * 2}
    untied = TIED | {"tie_word_embeddings": False}
    pairs, tie = compared(tmp_path, some_tensors(), after, (TIED, untied))
    assert kinds(pairs) == {HEAD: "changed"}
    assert tie.what == "broken"


def test_a_tie_that_is_made_is_told(tmp_path):
    before = some_tensors() | {HEAD: some_tensors()[EMBEDDING] * 2}
    untied = TIED | {"tie_word_embeddings": False}
    pairs, tie = compared(tmp_path, before, some_tensors(), (untied, TIED))
    assert kinds(pairs) == {HEAD: "changed"}
    assert tie.what == "made"


def test_stored_ties_break_when_one_side_changes(tmp_path):
    both = some_tensors() | {HEAD: some_tensors()[EMBEDDING]}
    after = both | {HEAD: both[HEAD] + 1}
    assert compared(tmp_path, both, after)[1].what == "broken"


def test_a_cache_of_digests_is_asked_and_not_the_files(tmp_path):
    asked = []

    def digests(tensor):
        asked.append(tensor.name)
        return tensor.name

    with opened(TINY) as base, opened(TINY) as candidate:
        pairs = pair_tensors(base, candidate, digests)
    assert {each.kind for each in pairs} == {"same"}
    assert set(asked) == set(base.tensors)
    assert len(asked) == 2 * len(base.tensors)


def test_a_digest_knows_dtype_shape_and_content(tmp_path):
    values = np.arange(12, dtype=np.float32)
    tensors = {
        "a": values, "b": values.reshape(3, 4), "c": values.view(np.int32), "d": values + 1,
        "e": values.copy(), "none": np.zeros((0, 4), np.float32), "scalar": np.ones((), np.float32),
    }  # fmt: skip
    with opened(write_model(tmp_path, tensors)) as model:
        digests = {name: tensor_digest(tensor) for name, tensor in model.tensors.items()}
        assert digests["a"] == digests["e"]
        assert len(set(digests.values())) == 6
        assert all(each.startswith("v1:") and len(each) == 67 for each in digests.values())
        assert values_of(model.tensors["scalar"]) == 1

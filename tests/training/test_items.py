"""Item results are those of the items issued, or there is no verdict."""

from __future__ import annotations

import math

import pytest

from hub.blobstore import BlobStore
from training.jobs.items import (
    Item,
    ItemsError,
    check_items,
    read_item,
    read_items,
    read_lines,
    read_scores,
    scores_of,
    write_items,
)
from training.specs.items import Item as IssuedItem

ISSUED = [IssuedItem("a", {}, group="g", cluster="c"), IssuedItem("b", {})]


def item(item_id: str, score: float = 1.0) -> Item:
    return Item(item_id, {"acc": score}, prediction=0, target=0, loglikelihoods=(-1.5, -2.0))


def event(**more):
    return {"id": "a", "metrics": {"acc": 1.0}, "loglikelihoods": [-1.0], **more}


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (["a"], "missing_items"),
        (["a", "b", "c"], "unknown_items"),
        (["a", "b", "a"], "duplicate_items"),
        ([], "missing_items"),
    ],
)
def test_missing_extra_and_double_items_are_refused(ids, code):
    with pytest.raises(ItemsError) as caught:
        check_items([item(each) for each in ids], ISSUED)
    assert caught.value.code == code


@pytest.mark.parametrize("score", [math.nan, math.inf, None, "1", True])
def test_a_score_that_is_no_number_is_refused(score):
    with pytest.raises(ItemsError) as caught:
        read_item(event(metrics={"acc": score}), ["acc"])
    assert caught.value.code == "scores_not_finite"


@pytest.mark.parametrize("vector", [None, [], [math.nan, 1.0], "12", [None], [True, 1.0]])
def test_sums_that_are_no_numbers_are_refused(vector):
    told = event(metrics={"bits_per_byte": 1.5}, sums={"bits_per_byte": vector})
    with pytest.raises(ItemsError) as caught:
        read_item(told, ["bits_per_byte"])
    assert caught.value.code == "scores_not_finite"


@pytest.mark.parametrize("likelihoods", [[None], [-math.inf], "no", [[-1.0]]])
def test_likelihoods_that_are_no_numbers_are_refused(likelihoods):
    with pytest.raises(ItemsError):
        read_item(event(loglikelihoods=likelihoods), ["acc"])


@pytest.mark.parametrize("broken", [{"id": ""}, {"id": 3}, {"metrics": []}, {"sums": "x"}])
def test_what_is_no_result_is_refused(broken):
    with pytest.raises(ItemsError) as caught:
        read_item(event(**broken), ["acc"])
    assert caught.value.code == "malformed_item"


def test_items_come_in_the_order_issued_with_the_groups_that_we_know():
    checked = check_items([item("b", 0.0), item("a")], ISSUED)
    assert [(i.id, i.group, i.cluster) for i in checked] == [("a", "g", "c"), ("b", None, None)]
    assert [score.cluster for score in scores_of(checked, "acc")] == ["c", None]


def test_stored_items_come_back_as_they_were_and_equal_ones_are_stored_once(tmp_path):
    blobs = BlobStore(tmp_path, reserve_bytes=0)
    items = [
        Item("a", {"bleu": 20.5, "f1": 0.5}, {"bleu": (1.0, 2.0)}, output="Ay", extracted="ay"),
        Item("b", {"bleu": None, "f1": 0.0}, {"bleu": (0.0, 3.0)}, 1, 0, (-3.0, -1.0), True,
             nll=4.0, size_bytes=7, tokens=2, group="g", cluster="c"),
    ]  # fmt: skip
    first, again = write_items(blobs, items), write_items(blobs, items)
    assert first.sha256 == again.sha256
    assert read_items(blobs, first.sha256) == items
    assert items[1].margin == -2.0
    assert read_scores(blobs, first.sha256, "bleu") == scores_of(items, "bleu")
    assert read_scores(blobs, first.sha256, "f1") == scores_of(items, "f1")


def test_a_line_that_a_crash_tore_off_is_left_out(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'{"id": "a"}\n{"id": "b", "sco')
    assert list(read_lines(path)) == [{"id": "a"}]
    link = tmp_path / "link"
    link.symlink_to(path)
    assert list(read_lines(link)) == []

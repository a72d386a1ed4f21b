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
    scores_of,
    write_items,
)
from training.specs.items import Item as IssuedItem

ISSUED = [IssuedItem("a", {}, group="g", cluster="c"), IssuedItem("b", {})]


def item(item_id: str, score: float = 1.0) -> Item:
    return Item(item_id, score, 0, 0, (-1.5, -2.0))


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
        read_item({"id": "a", "score": score, "loglikelihoods": [-1.0]})
    assert caught.value.code == "scores_not_finite"


@pytest.mark.parametrize("likelihoods", [[None], [-math.inf], "no", [[-1.0]]])
def test_likelihoods_that_are_no_numbers_are_refused(likelihoods):
    with pytest.raises(ItemsError):
        read_item({"id": "a", "score": 1.0, "loglikelihoods": likelihoods})


def test_items_come_in_the_order_issued_with_the_groups_that_we_know():
    checked = check_items([item("b", 0.0), item("a")], ISSUED)
    assert [(i.id, i.group, i.cluster) for i in checked] == [("a", "g", "c"), ("b", None, None)]
    assert [score.cluster for score in scores_of(checked)] == ["c", None]


def test_stored_items_come_back_as_they_were_and_equal_ones_are_stored_once(tmp_path):
    blobs = BlobStore(tmp_path, reserve_bytes=0)
    items = [item("a"), Item("b", 0.0, 1, 0, (-3.0, -1.0), True, "g", "c", "Q?", ("x", "y"))]
    first, again = write_items(blobs, items), write_items(blobs, items)
    assert first.sha256 == again.sha256
    assert read_items(blobs, first.sha256) == items
    assert items[1].margin == -2.0
    assert (items[1].answer, items[1].choice(0)) == ("y", "x")


def test_a_line_that_a_crash_tore_off_is_left_out(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'{"id": "a"}\n{"id": "b", "sco')
    assert list(read_lines(path)) == [{"id": "a"}]
    link = tmp_path / "link"
    link.symlink_to(path)
    assert list(read_lines(link)) == []

"""The same items every time, whatever the order of lines; ids that outlive it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import BadInputError
from training.specs.benchmark import parse_benchmark
from training.specs.items import items_digest, select_items
from training.specs.sampling import read_json_lines

ROWS = [
    {"text": f"message {number}", "label": "spam" if number % 8 == 0 else "ham"}
    for number in range(400)
]


def definition(**sample):
    lines = "".join(f"\n    {key}: {value}" for key, value in sample.items())
    return parse_benchmark(
        "task: t\ndoc_to_choice: [ham, spam]\ndoc_to_target: label\nweighbridge:\n"
        f"  group_by: label\n  cluster_by: text\n  sample:{lines or ' {}'}\n"
    )


def ids(items):
    return [item.id for item in items]


def test_every_row_becomes_an_item_with_its_columns():
    items = select_items(ROWS, definition())
    assert len(set(ids(items))) == 400
    assert sorted(item.doc["text"] for item in items) == sorted(row["text"] for row in ROWS)
    assert all(item.group == item.doc["label"] for item in items)
    assert all(item.cluster == item.doc["text"] for item in items)


def test_the_choice_does_not_depend_on_the_order_of_lines():
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    for sample in ({"limit": 50}, {"balance_by": "label", "per_class": 20}):
        here, there = (
            select_items(ROWS, definition(**sample)),
            select_items(shuffled, definition(**sample)),
        )
        assert ids(here) == ids(there)
        assert items_digest(here) == items_digest(there)


def test_another_seed_asks_other_items_in_another_order():
    first = ids(select_items(ROWS, definition(limit=50)))
    assert first == ids(select_items(ROWS, definition(limit=50, seed=0)))
    assert first != ids(select_items(ROWS, definition(limit=50, seed=1)))
    assert first != ids(select_items(ROWS, definition(limit=50), seed=9))


def test_a_smaller_limit_takes_the_first_of_a_larger_one():
    large = ids(select_items(ROWS, definition(limit=200)))
    assert ids(select_items(ROWS, definition(limit=50))) == large[:50]


def test_file_order_takes_the_top_of_the_file():
    items = select_items(ROWS, definition(order="file", limit=3))
    assert [item.doc for item in items] == ROWS[:3]


@pytest.mark.parametrize(
    ("sample", "each"),
    [
        ({"balance_by": "label", "per_class": 20}, 20),
        ({"balance_by": "label"}, 50),
        ({"balance_by": "label", "limit": 61}, 30),
        ({"balance_by": "label", "per_class": 40, "limit": 20}, 10),
    ],
)
def test_classes_are_balanced(sample, each):
    labels = [item.group for item in select_items(ROWS, definition(**sample))]
    assert (labels.count("spam"), labels.count("ham")) == (each, each)


def test_equal_rows_are_items_of_their_own():
    rows = [{"text": "same", "label": "ham"}] * 3
    assert len(set(ids(select_items(rows, definition())))) == 3
    assert set(ids(select_items(rows[:2], definition()))) < set(
        ids(select_items(rows, definition()))
    )


def test_keys_in_another_order_are_the_same_item():
    turned = [dict(reversed(row.items())) for row in ROWS]
    assert ids(select_items(turned, definition())) == ids(select_items(ROWS, definition()))


@pytest.mark.parametrize(
    ("rows", "sample", "reason"),
    [
        ([], {}, "no items"),
        (ROWS, {"balance_by": "label", "per_class": 51}, "'spam' has 50 rows"),
        (ROWS, {"balance_by": "label", "limit": 1}, "below one of each"),
        (ROWS, {"balance_by": "kind"}, "no column 'kind'; the columns are text, label"),
        ([], {"balance_by": "label"}, "0 classes"),
        ([{"text": "a"}], {}, "no column 'label'"),
    ],
)
def test_what_cannot_be_chosen_is_refused(rows, sample, reason):
    with pytest.raises(BadInputError, match=reason):
        select_items(rows, definition(**sample))


def test_json_lines_are_read_strictly():
    lines = [b'{"a": 1}\n', b"\n", b'{"a": "\xe4\xb8\xad"}']
    assert list(read_json_lines(lines, "test.jsonl")) == [{"a": 1}, {"a": "中"}]
    for wrong in (b"[1]", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff"):
        with pytest.raises(BadInputError, match=r"test\.jsonl, line 2"):
            list(read_json_lines([b"{}", wrong], "test.jsonl"))


plain = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.none())


@given(st.lists(plain, min_size=1, max_size=12), st.randoms())
def test_any_rows_get_stable_ids(rows, shuffle):
    asked = parse_benchmark("task: t\ndoc_to_choice: [a, b]\ndoc_to_target: 0\n")
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    assert ids(select_items(rows, asked)) == ids(select_items(shuffled, asked))


def test_several_columns_together_name_a_cluster():
    asked = parse_benchmark(
        "task: t\ndoc_to_choice: [a, b]\ndoc_to_target: 0\n"
        "weighbridge: {cluster_by: [category, question], group_by: category}\n"
    )
    rows = [{"category": c, "question": q} for c in ("Age", "Work") for q in (1, 2)]
    found = {(item.group, item.cluster) for item in select_items(rows, asked)}
    assert found == {
        ("Age", "Age / 1"), ("Age", "Age / 2"), ("Work", "Work / 1"), ("Work", "Work / 2"),
    }  # fmt: skip

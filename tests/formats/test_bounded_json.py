import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.formats.bounded_json import load_json
from hub.formats.errors import JsonError

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": 1, "a": 2}', "repeats the key 'a'"),
        ('{"a": {"b": 1, "b": 1}}', "repeats the key 'b'"),
        ("NaN", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("1e999", "too large"),
        ("9" * 401, "too large"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udc00": 1}', "surrogate"),
        ('"\ud800"', "surrogate"),
        (b'"\xff"', "UTF-8"),
        ("[" * 33 + "]" * 33, "deeper than 32"),
        ("[" * 100_000, "deeper than 32"),
        ("", "not valid JSON"),
        ("{'a': 1}", "line 1, column 2"),
        ('"open', "not valid JSON"),
        ("[1] 2", "not valid JSON"),
    ],
)
def test_what_is_not_strict_is_refused_with_its_reason(content, reason):
    with pytest.raises(JsonError, match=reason):
        load_json(content)


def test_limits_hold_at_the_limit_and_one_above():
    assert load_json("[" * 32 + "]" * 32)
    assert len(load_json("[1,2,3]", max_nodes=4)) == 3
    with pytest.raises(JsonError, match="more than 4 values"):
        load_json("[1,2,3,4]", max_nodes=4)
    assert load_json('"aaa"', max_bytes=5) == "aaa"
    with pytest.raises(JsonError, match="at most 5"):
        load_json('"aaaa"', max_bytes=5)


def test_brackets_and_commas_in_strings_are_text():
    value = {"[[[{{,,,": ']]"\\[[' * 50}
    assert load_json(json.dumps(value), max_nodes=2, max_depth=1) == value


def test_a_pair_of_surrogates_is_one_character():
    assert load_json('"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("unit", ['"', '\\"', '"\\', "[],", '{"a":', "\\"])
def test_hostile_repetition_is_refused_before_it_costs_much(unit):
    with pytest.raises(JsonError):
        load_json((unit * 1024 * 1024)[: 1024 * 1024] + "}")


@given(plain)
def test_plain_values_survive(value):
    assert load_json(json.dumps(value)) == value


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\u0aN1e.-tfn ', max_size=60))
def test_any_input_is_read_or_refused(content):
    try:
        load_json(content)
    except JsonError:
        return

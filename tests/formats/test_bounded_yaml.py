"""YAML from people: bombs end early, scalars keep their type, nothing but YamlError escapes."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.formats.bounded_yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, dump_yaml, load_yaml
from hub.formats.errors import YamlError

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("2024-01-31", "2024-01-31"),
        ("12:30:45", "12:30:45"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("e5", "e5"),
        (".", "."),
        ("-", None),
        ("1e999", "1e999"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0.50", 0.5),
        ("3e-4", 3e-4),
        ("1.0e+3", 1000.0),
        (".5", 0.5),
    ],
)
def test_a_scalar_means_what_it_looks_like(written, meant):
    if written == "-":
        assert load_yaml("- ") == [meant]
        return
    found = load_yaml(f"key: {written}")["key"]
    assert found == meant
    assert type(found) is type(meant)


def test_nested_values_are_read():
    content = b"a: [1, {b: c}]\nd:\n- e\n- |\n  two\n  lines\n"
    assert load_yaml(content) == {"a": [1, {"b": "c"}], "d": ["e", "two\nlines\n"]}
    assert load_yaml("") is None
    assert load_yaml("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: &x [1]\nb: *x", "anchor"),
        ("a: *x", "anchor"),
        ("- &a [lol,lol]\n- &b [*a,*a]\n- &c [*b,*b]", "anchor"),
        ("a: !!python/object/apply:os.system [id]", "tag"),
        ("a: !function utils.score", "tag '!function'"),
        ("! a", "tag"),
        ("!!str 12", "tag"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("a: 1\na: 2", "repeats the key 'a'"),
        ("? [a]\n: b", "a key that is not plain text"),
        ("a: [1", "not valid YAML"),
        ("a: b: c", "not valid YAML in line 1"),
        (b"a: \xff", "UTF-8"),
        ("a: \ud800", "UTF-8"),
        ("a: \x00", "not valid YAML"),
        ("[" * 17 + "]" * 17, "deeper than 16"),
        ("{a: " * 2000, "deeper than 16"),
        ("[" * 60_000, "deeper than 16"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_reason(content, reason):
    with pytest.raises(YamlError, match=reason):
        load_yaml(content)


def test_limits_hold_at_the_limit_and_one_above():
    deep = load_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert len(deep) == 1
    assert len(load_yaml("- a\n" * (MAX_NODES - 1))) == MAX_NODES - 1
    with pytest.raises(YamlError, match="more than 5000 values"):
        load_yaml("- a\n" * MAX_NODES)
    assert len(load_yaml("a" * MAX_BYTES)) == MAX_BYTES
    with pytest.raises(YamlError, match="at most 65536"):
        load_yaml("a" * (MAX_BYTES + 1))


@pytest.mark.parametrize("unit", ["- ", "? ", "[a,", "{a: b, ", "'", "#", "a:\n ", "|\n", "\t"])
def test_hostile_repetition_is_refused_before_it_costs_much(unit):
    with pytest.raises(YamlError):
        load_yaml((unit * MAX_BYTES)[:MAX_BYTES] + "}")


@given(st.binary(max_size=300) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n\t0.", max_size=80))
def test_any_input_is_read_or_refused(content):
    try:
        load_yaml(content)
    except YamlError:
        return


@given(plain)
def test_what_is_written_reads_back_here_and_in_other_readers(value):
    written = dump_yaml({"key": value})
    assert load_yaml(written) == {"key": value}
    assert yaml.safe_load(written) == {"key": value}


def test_code_cannot_be_written():
    with pytest.raises(YamlError):
        dump_yaml(object())

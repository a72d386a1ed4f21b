"""Regular expressions and answer filters from users: bounded here, run only by the runner."""

import re
import warnings
from collections.abc import Sequence
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from hub.errors import BadInputError
from training.specs.schema import ListOf, Number, OneOf, Text, read_map, refuse_unknown

MAX_PATTERN = 500
MAX_PATTERNS = 20
MAX_CHAINS = 10
MAXSTEPS = 10
MAX_MAPPING = 500
_PATTERN = Text(MAX_PATTERN, re.compile(r"[\S\s]"), "a regular expression")
FILTER_NAME = Text(64, re.compile(r"[\w.-]+\Z"), "the name of a filter")
_ANSWER = Text(1000)
STEPS = {
    "regex": ("regex_pattern", "group_select", "fallback"),
    "map": ("mapping_dict", "default_value"),
    "take_first": (),
    "remove_whitespace": (),
    "strip": (),
    "lowercase": (),
    "uppercase": (),
}

Step = dict[str, Any]
Chain = tuple[Step, ...]


def read_pattern(value: Any, name: str) -> str:
    """A regular expression of at most MAX_PATTERN characters.

    It is read, not compiled: wide sets under (?i) take seconds, which a web process does not have.

    Raises:
        BadInputError: not text, too long, or none.
    """
    pattern: str = _PATTERN.read(value, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # a set such as [[a] means what it did
            _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInputError(f"{name} is not a regular expression: {error}.") from error
    return pattern


def read_patterns(value: Any, name: str) -> tuple[str, ...]:
    """A list of regular expressions."""
    if not isinstance(value, list) or len(value) > MAX_PATTERNS:
        raise BadInputError(f"{name} must be a list of at most {MAX_PATTERNS} regular expressions.")
    return tuple(read_pattern(each, f"{name}[{i}]") for i, each in enumerate(value))


def read_filters(value: Any, place: str) -> dict[str, Chain]:
    """The chains of filters of a file by name, in its order; one without a name is "none".

    A chain is a list of steps, each with its function and that function's own keys, as
    lm-evaluation-harness writes them.
    """
    if value is None:
        return {}
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHAINS:
        raise BadInputError(f"{place} needs a list of 1 to {MAX_CHAINS} filters.")
    if all(isinstance(each, dict) and "function" in each for each in value):
        return {"none": _chain(value, place)}
    chains: dict[str, Chain] = {}
    for index, each in enumerate(value):
        where = f"{place}[{index}]"
        values = read_map(each, where)
        refuse_unknown(values, ("name", "filter"), where)
        name = FILTER_NAME.read(values.get("name", "none"), f"{where}.name")
        if name in chains:
            raise BadInputError(f"{place} has two filters called {name}; rename one.")
        chains[name] = _chain(values.get("filter"), f"{where}.filter")
    return chains


def _chain(value: Any, place: str) -> Chain:
    if not isinstance(value, list) or len(value) > MAXSTEPS:
        raise BadInputError(f"{place} must be a list of at most {MAXSTEPS} steps.")
    return tuple(_step(each, f"{place}[{i}]") for i, each in enumerate(value))


def _step(value: Any, place: str) -> Step:
    values = read_map(value, place)
    function = OneOf(tuple(STEPS)).read(values.get("function"), f"{place}.function")
    refuse_unknown(values, ("function", *STEPS[function]), place)
    if function == "regex":
        return _regex(values, place)
    return _map(values, place) if function == "map" else {"function": function}


def _regex(values: dict[str, Any], place: str) -> Step:
    return {
        "function": "regex",
        "regex_pattern": read_pattern(
            values.get("regex_pattern", r"#### (\-?[0-9\.\,]+)"), f"{place}.regex_pattern"
        ),
        "group_select": Number(-100, 100, whole=True).read(
            values.get("group_select", 0), f"{place}.group_select"
        ),
        "fallback": _ANSWER.read(values.get("fallback", "[invalid]"), f"{place}.fallback"),
    }


def _map(values: dict[str, Any], place: str) -> Step:
    mapping = read_map(values.get("mapping_dict"), f"{place}.mapping_dict")
    if len(mapping) > MAX_MAPPING:
        raise BadInputError(f"{place}.mapping_dict has more than {MAX_MAPPING} entries.")
    default = values.get("default_value")
    return {
        "function": "map",
        "mapping_dict": {
            _ANSWER.read(key, f"{place}.mapping_dict"): _ANSWER.read(
                _texts(to), f"{place}.mapping_dict[{key[:40]}]"
            )
            for key, to in mapping.items()
        },
        "default_value": None
        if default is None
        else _ANSWER.read(_texts(default), f"{place}.default_value"),
    }


def _texts(value: Any) -> Any:
    """A number as the text that a model would write."""
    return str(value) if type(value) in (int, float) else value


def read_texts(value: Any, name: str, *, most: int, length: int) -> tuple[str, ...]:
    """A list of texts, or one text as a list of one."""
    listed: Sequence[Any] = [value] if isinstance(value, str) else value
    return tuple(ListOf(Text(length, re.compile(r"[\S\s]")), 0, most).read(listed, name))

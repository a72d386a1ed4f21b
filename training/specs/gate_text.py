"""A gate as the text of its file: only what is not meant anyway, in the order people read it."""

import re
from typing import Any

from hub.formats.bounded_yaml import dump_yaml, end_of, events_of, start_of
from hub.formats.errors import YamlError
from training.specs.gate import (
    DEFAULT_DISCORDANCE,
    DEFAULT_LOOKS,
    DEFAULT_POWER,
    MAX_LOOKS,
    SPENDINGS,
    BlindRule,
    GateBenchmark,
    GateConfig,
)

_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#", re.MULTILINE)
_HEAD = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)+")


def write_gate(config: GateConfig, *, head: str = "") -> str:
    """YAML that `parse_gate` reads as `config`, below the comment `head`."""
    values: dict[str, Any] = {}
    if config.alpha is not None:
        values["alpha"] = config.alpha
    defaults = {
        "looks": DEFAULT_LOOKS,
        "spending": SPENDINGS[0],
        "strict": False,
        "power": DEFAULT_POWER,
        "noise_floor": False,
        "contamination": True,
    }
    given = {name: getattr(config, name) for name in defaults} | {"looks": written_looks(config)}
    values |= {name: value for name, value in given.items() if value != defaults[name]}
    values["benchmarks"] = [_benchmark(benchmark) for benchmark in config.benchmarks]
    if config.blind is not None:
        values["blind"] = _blind(config.blind)
    return head + dump_yaml(values)


def written_looks(config: GateConfig) -> int | list[float]:
    """The looks as people write them: their number where they are equal, else their shares."""
    count = len(config.looks)
    equal = tuple((number + 1) / count for number in range(count))
    return count if count <= MAX_LOOKS and config.looks == equal else list(config.looks)


def _benchmark(benchmark: GateBenchmark) -> dict[str, Any]:
    values = benchmark.to_dict()
    if benchmark.discordance == DEFAULT_DISCORDANCE:
        del values["discordance"]
    return {name: value for name, value in values.items() if value not in (None, False)}


def _blind(rule: BlindRule) -> dict[str, Any]:
    usual = BlindRule(rule.reference).to_dict()
    values = rule.to_dict()
    return {
        name: value for name, value in values.items() if name == "benchmark" or value != usual[name]
    }


def head_comment(text: str) -> str:
    """The comment that a file begins with, blank lines included."""
    found = _HEAD.match(text)
    return found[0] if found and "#" in found[0] else ""


def lost_comments(text: str) -> list[int]:
    """The lines, from 1, whose comments are gone when the file is written anew."""
    start = len(head_comment(text))
    try:
        spans = [
            (start_of(event).index, end_of(event).index)
            for event in events_of(text)
            if event.__class__.__name__ == "ScalarEvent"
        ]
    except YamlError:
        return []
    return [
        text.count("\n", 0, found.start()) + 1
        for found in _COMMENT.finditer(text)
        if found.start() >= start and not any(a <= found.start() < b for a, b in spans)
    ]

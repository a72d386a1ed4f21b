"""What is taken out of a generated text before it is compared: one chain of steps.

Names and meanings are those of lm-evaluation-harness's filters (lm_eval/filters).
"""

from collections.abc import Callable, Sequence
from typing import Any

from training.runner.errors import BadBenchmarkError
from training.runner.marking.patterns import Pattern

Step = Callable[[str], str]


class Filters:
    """A chain of steps over one answer each. `first_only`: it keeps the first answer alone."""

    def __init__(self, steps: Sequence[dict[str, Any]], *, name: str) -> None:
        self.first_only = any(step.get("function") == "take_first" for step in steps)
        self.steps = [_step(step, name) for step in steps]

    def __call__(self, text: str) -> str:
        for step in self.steps:
            text = step(text)
        return text


def _step(values: dict[str, Any], name: str) -> Step:
    function = values.get("function")
    if function == "regex":
        return _Extraction(values, name)
    if function == "map":
        mapping: dict[str, str] = values.get("mapping_dict") or {}
        default = values.get("default_value")
        return lambda text: mapping.get(text, "" if default is None else str(default))
    if function not in SIMPLE:
        raise BadBenchmarkError(
            f"The filter of {name} has the step {function}; known are regex, map, "
            f"{', '.join(SIMPLE)}."
        )
    return SIMPLE[function]


class _Extraction:
    """The match number `group_select` of a pattern, or the fallback."""

    def __init__(self, values: dict[str, Any], name: str) -> None:
        source = str(values.get("regex_pattern", r"#### (\-?[0-9\.\,]+)"))
        self.pattern = Pattern(source, place=f"The filter of {name}")
        self.place = int(values.get("group_select", 0))
        self.fallback = str(values.get("fallback", "[invalid]"))

    def __call__(self, text: str) -> str:
        found = self.pattern.find_all(text)
        try:
            match = found[self.place]
        except IndexError:
            return self.fallback
        if isinstance(match, tuple):
            match = next((group for group in match if group), self.fallback)
        return str(match).strip()


SIMPLE: dict[str, Step] = {
    "take_first": lambda text: text,
    "remove_whitespace": str.strip,
    "strip": str.strip,
    "lowercase": str.lower,
    "uppercase": str.upper,
}

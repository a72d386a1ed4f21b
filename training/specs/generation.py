"""generation_kwargs of a benchmark file: how a model's answer is generated, and when it ends."""

from dataclasses import dataclass
from typing import Any

from hub.errors import BadInputError
from training.specs.patterns import read_texts
from training.specs.schema import Flag, Number, read_map, refuse_unknown

MAX_NEW_TOKENS = 2048
DEFAULT_NEW_TOKENS = 256  # lm-evaluation-harness's
MAX_REPEATS = 64
MAX_STOPS = 20
KEYS = ("until", "max_gen_toks", "do_sample", "temperature", "top_p")


@dataclass(frozen=True, slots=True)
class Generation:
    """Greedy unless `do_sample`. `until` are the texts that end an answer; `repeats` counts the
    answers to each item."""

    until: tuple[str, ...]
    max_gen_toks: int = DEFAULT_NEW_TOKENS
    do_sample: bool = False
    temperature: float = 0.0
    top_p: float = 1.0
    repeats: int = 1

    def kwargs(self) -> dict[str, Any]:
        """Under lm-evaluation-harness's names."""
        return {
            "until": list(self.until),
            "max_gen_toks": self.max_gen_toks,
            "do_sample": self.do_sample,
            "temperature": self.temperature,
            "top_p": self.top_p,
        }


def read_generation(values: dict[str, Any], delimiter: str, place: str) -> Generation:
    """What the file says; answers end at `delimiter`, that of the examples, where it names none.

    Raises:
        BadInputError: an unknown key, a value out of range, or repeats that would be all alike.
    """
    where = f"{place}: generation_kwargs"
    given = read_map(values.get("generation_kwargs") or {}, where)
    given = {key: value for key, value in given.items() if value is not None}
    refuse_unknown(given, KEYS, where)
    sampled = Flag().read(given.get("do_sample", False), f"{where}.do_sample")
    temperature = Number(0, 5).read(
        given.get("temperature", 1.0 if sampled else 0.0), f"{where}.temperature"
    )
    if sampled and not temperature:
        raise BadInputError(f"{where} samples at temperature 0; raise it, or drop do_sample.")
    repeats = Number(1, MAX_REPEATS, whole=True).read(values.get("repeats", 1), f"{place}: repeats")
    if repeats > 1 and not sampled:
        raise BadInputError(
            f"{place}: repeats is {repeats}, and without generation_kwargs.do_sample every answer "
            "is the same; sample, or ask once."
        )
    return Generation(
        until=read_texts(
            given.get("until", [delimiter]), f"{where}.until", most=MAX_STOPS, length=200
        ),
        max_gen_toks=Number(1, MAX_NEW_TOKENS, whole=True).read(
            given.get("max_gen_toks", DEFAULT_NEW_TOKENS), f"{where}.max_gen_toks"
        ),
        do_sample=sampled,
        temperature=temperature if sampled else 0.0,
        top_p=Number(0, 1, open_low=True).read(given.get("top_p", 1.0), f"{where}.top_p"),
        repeats=repeats,
    )

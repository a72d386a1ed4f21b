"""The `samples_*.jsonl` of lm-evaluation-harness, matched to the items of a benchmark.

The command line writes numbers as texts and arguments as `gen_args_0.arg_0`; both spellings are
read. An item is known by its `doc_hash`. What does not fit is refused with the line it stands in:
nothing is ever left out to make the rest fit.

Source: lm_eval/loggers/evaluation_tracker.py and lm_eval/evaluator.py, version 0.4.13.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.errors import BadInputError, TooLargeError
from hub.formats.bounded_json import load_json
from hub.formats.errors import JsonError
from training.runner.literals import literal
from training.specs.benchmark_metrics import CHOICES, ROLLING
from training.specs.items import MAX_ITEMS
from training.specs.lm_eval_results import is_number

SAMPLES_LIMIT_BYTES = 64 * 1024**2
LINE_LIMIT_BYTES = 256 * 1024
LINE_VALUES_LIMIT = 20_000
LINE_DEPTH_LIMIT = 16
FILTERS_LIMIT = 8
TEXT_LIMIT = 4_000
CHOICES_LIMIT = 64
NUMBERS_LIMIT = 8
EXAMPLES = 3
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_TRUTH = {"True": True, "False": False, "true": True, "false": False}

Number = float | tuple[float, ...]


class Stream(Protocol):
    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: what the model made of one row under one filter.

    `metrics` holds what is a number or a list of numbers; other values, such as pairs of texts,
    are left to whoever wrote them. `prompts` and `continuations` are the requests that were made.
    `target_texts` are the right answers as the line has them, `is_greedy` whether a single
    continuation was the likeliest one, `hashes` the line's part of its task's hash.
    """

    line: int
    doc_hash: str
    filter: str
    metrics: Mapping[str, Number]
    loglikelihoods: tuple[float, ...] = ()
    output: str | None = None
    extracted: str | None = None
    target: int | None = None
    prompts: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()
    target_texts: tuple[str, ...] = ()
    is_greedy: bool | None = None
    hashes: str = ""

    @property
    def prediction(self) -> int | None:
        """The choice with the highest log-likelihood, the first of equals as the harness does."""
        found = self.loglikelihoods
        return found.index(max(found)) if len(found) > 1 else None

    @property
    def is_tie(self) -> bool:
        found = self.loglikelihoods
        return len(found) > 1 and found.count(max(found)) > 1


def read_samples(stream: Stream, output_type: str) -> list[Sample]:
    """Every line of a samples file of a task whose answers are of the kind `output_type`.

    Raises:
        BadInputError: a line that is no sample, or holds a number that is none.
        TooLargeError: more bytes or lines than are read.
    """
    found = []
    for number, line in _lines(stream):
        found.append(_sample(number, _object(number, line), output_type))
        if len(found) > MAX_ITEMS * FILTERS_LIMIT:
            raise TooLargeError(f"The samples hold more than {MAX_ITEMS * FILTERS_LIMIT} lines.")
    if not found:
        raise BadInputError("The samples file is empty: send what lm_eval --log_samples wrote.")
    return found


def of_filter(samples: Sequence[Sample], wanted: str | None) -> list[Sample]:
    """The lines of one filter: the benchmark's own, else the only one that there is.

    Raises: BadInputError when there are several and none is the benchmark's.
    """
    names = list(dict.fromkeys(sample.filter for sample in samples))
    if len(names) == 1:
        return list(samples)
    if wanted in names:
        return [sample for sample in samples if sample.filter == wanted]
    shown = ", ".join(name[:40] for name in names[:FILTERS_LIMIT])
    raise BadInputError(
        f"The samples hold the filters {shown}, and the benchmark looks through "
        f"{'none' if wanted is None else repr(wanted)}: send the lines of one filter."
    )


def matched(samples: Iterable[Sample], items: Mapping[str, Sequence[str]]) -> dict[str, Sample]:
    """The sample of every item id; `items` has the ids of the items by their `doc_hash`.

    Equal rows are items of their own: as many samples as there are equal rows are wanted.
    Raises:
        BadInputError: a sample of no item, one too many, or an item without one.
    """
    by_hash: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_hash[sample.doc_hash].append(sample)
    _refuse_foreign([s for key, found in by_hash.items() if key not in items for s in found], items)
    for key, found in by_hash.items():
        if len(found) > len(items[key]):
            places = ", ".join(str(sample.line) for sample in found[: EXAMPLES + 1])
            raise BadInputError(f"The samples hold the same row more than once (lines {places}).")
    missing = sum(len(ids) - len(by_hash.get(key, ())) for key, ids in items.items())
    if missing:
        total = sum(map(len, items.values()))
        raise BadInputError(
            f"{missing} of the {total} items of the benchmark have no sample: evaluate all of "
            "them, without --limit."
        )
    return {
        item_id: sample
        for key, ids in items.items()
        for item_id, sample in zip(ids, by_hash[key], strict=True)
    }


def _refuse_foreign(foreign: list[Sample], items: Mapping[str, Sequence[str]]) -> None:
    if foreign:
        places = ", ".join(str(sample.line) for sample in foreign[:EXAMPLES])
        total = sum(map(len, items.values()))
        raise BadInputError(
            f"{len(foreign)} samples are of rows that are none of the benchmark's {total} items, "
            f"such as line {places}: send the samples of exactly its items, in its columns."
        )


# Reading one line ------------------------------------------------------------------------------


def _lines(stream: Stream) -> Iterator[tuple[int, bytes]]:
    left, number = SAMPLES_LIMIT_BYTES, 0
    while line := stream.readline(LINE_LIMIT_BYTES + 1):
        number += 1
        left -= len(line)
        if len(line) > LINE_LIMIT_BYTES:
            raise TooLargeError(f"Line {number} of the samples exceeds {LINE_LIMIT_BYTES} bytes.")
        if left < 0:
            raise TooLargeError(f"The samples exceed {SAMPLES_LIMIT_BYTES} bytes.")
        if line.strip():
            yield number, line


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        value = load_json(line, max_depth=LINE_DEPTH_LIMIT, max_nodes=LINE_VALUES_LIMIT)
    except JsonError as error:
        raise BadInputError(f"Line {number} of the samples: {error}") from error
    if not isinstance(value, dict):
        raise _broken(number, "is no JSON object")
    return value


def _sample(number: int, row: dict[str, Any], output_type: str) -> Sample:
    doc_hash, filter_name = row.get("doc_hash"), row.get("filter", "none")
    if not isinstance(doc_hash, str) or not _HASH.match(doc_hash):
        raise _broken(number, "has no doc_hash, the SHA-256 of its row")
    if not isinstance(filter_name, str) or len(filter_name) > TEXT_LIMIT:
        raise _broken(number, "has no filter")
    answers, raw = _list(row, "filtered_resps", number), _list(row, "resps", number)
    likelihoods: tuple[float, ...] = ()
    output = extracted = None
    if output_type in (CHOICES, "loglikelihood", ROLLING):
        likelihoods = tuple(_likelihood(number, answer) for answer in answers)
    else:
        output, extracted = _text(raw), _text(answers)
    prompts, continuations = _requests(row.get("arguments"))
    metrics = _metrics(number, row)
    if "acc_mutual_info" in metrics:  # the second half are those of the choices by themselves
        likelihoods = likelihoods[: len(likelihoods) // 2]
    return Sample(
        line=number,
        doc_hash=doc_hash,
        filter=filter_name,
        metrics=metrics,
        loglikelihoods=likelihoods,
        output=output,
        extracted=extracted,
        target=_target(row.get("target")),
        prompts=prompts,
        continuations=continuations,
        target_texts=_target_texts(row.get("target")),
        is_greedy=_is_greedy(answers) if output_type == "loglikelihood" else None,
        hashes=_hashes(row),
    )


def _broken(number: int, what: str) -> BadInputError:
    return BadInputError(f"Line {number} of the samples {what}.")


def _list(row: dict[str, Any], key: str, number: int) -> list[Any]:
    value = row.get(key, [])
    if not isinstance(value, list) or len(value) > CHOICES_LIMIT:
        raise _broken(number, f"has no list {key} of at most {CHOICES_LIMIT} answers")
    return value


def _likelihood(number: int, answer: Any) -> float:
    """The log-likelihood in `["-2.3", "True"]`, or in `"-2.3"`."""
    if isinstance(answer, list):
        sound = len(answer) == 2 and (isinstance(answer[1], bool) or answer[1] in _TRUTH)
        answer = answer[0] if sound else None
    value = _number(answer)
    if value is None:
        raise _broken(number, "has a log-likelihood that is no finite number")
    return value


def _number(value: Any) -> float | None:
    """A finite number, which the command line writes as a text."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if is_number(value) else None


def _metrics(number: int, row: dict[str, Any]) -> dict[str, Number]:
    """The scores that the line names in `metrics`."""
    names = row.get("metrics", [])
    if not isinstance(names, list) or len(names) > CHOICES_LIMIT:
        raise _broken(number, "has no list of metrics")
    found: dict[str, Number] = {}
    for name in names:
        if not isinstance(name, str) or name not in row:
            raise _broken(number, f"names the metric {str(name)[:80]!r} and has no score for it")
        value = row[name]
        if isinstance(value, bool) or is_number(value):
            found[name] = float(value)
        elif isinstance(value, list) and value and all(map(is_number, value[: NUMBERS_LIMIT + 1])):
            if len(value) > NUMBERS_LIMIT:
                raise _broken(number, f"has too many numbers for {name[:80]}")
            found[name] = tuple(map(float, value))
        elif value is None:
            raise _broken(number, f"has no score for {name[:80]}")
    return found


def _text(answers: list[Any]) -> str | None:
    """What was generated; several answers to one question one below the other."""
    texts = [each for one in answers for each in (one if isinstance(one, list) else [one])]
    known = [text for text in texts if isinstance(text, str)]
    return "\n".join(known)[:TEXT_LIMIT] if known else None


def _target(value: Any) -> int | None:
    """The number of the right choice."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= 4:
        return int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 10_000 else None


def _target_texts(value: Any) -> tuple[str, ...]:
    """The right answer, or several of them, which the command line writes as one text."""
    if isinstance(value, str) and value[:1] == "[" and len(value) <= TEXT_LIMIT:
        several = literal(value)
        value = several if isinstance(several, list) else value
    listed = value if isinstance(value, list) else [value]
    plain = [each for each in listed if isinstance(each, str | int)]
    return tuple(str(int(each) if isinstance(each, bool) else each) for each in plain)


def _is_greedy(answers: list[Any]) -> bool | None:
    pair = answers[0] if len(answers) == 1 else None
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    return pair[1] if isinstance(pair[1], bool) else _TRUTH.get(pair[1])


def _hashes(row: dict[str, Any]) -> str:
    """What the harness hashes of a line; empty where it does not say all of it."""
    found = [row.get(key) for key in ("doc_hash", "prompt_hash", "target_hash")]
    sound = all(isinstance(each, str) and _HASH.match(each) for each in found)
    return "".join(map(str, found)) if sound else ""


def task_hash(samples: Sequence[Sample]) -> str:
    """The hash of a task that the harness writes beside its results; empty where lines lack it."""
    if not all(sample.hashes for sample in samples):
        return ""
    return hashlib.sha256("".join(sample.hashes for sample in samples).encode()).hexdigest()


def _requests(arguments: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Prompts and continuations of `{"gen_args_0": {"arg_0", "arg_1"}}` or `[[…, …]]`."""
    listed: list[Any] = []
    if isinstance(arguments, dict):
        listed = [arguments[key] for key in arguments if key.startswith("gen_args_")]
        listed = [[each.get("arg_0"), each.get("arg_1")] if isinstance(each, dict) else each
                  for each in listed]  # fmt: skip
    elif isinstance(arguments, list):
        listed = arguments
    pairs = [each for each in listed[:CHOICES_LIMIT] if isinstance(each, list) and each]
    prompts = tuple(each[0] for each in pairs if isinstance(each[0], str))
    follow = tuple(each[1] for each in pairs if len(each) > 1 and isinstance(each[1], str))
    return prompts, follow

"""The `results_*.json` of lm-evaluation-harness: what somebody says a model scored elsewhere.

Nothing in it is trusted: it is bounded before it is read, and of the many facts about the machine
that wrote it only those are kept that say how the numbers were made. Paths are never among them.

Source: lm_eval/loggers/evaluation_tracker.py, version 0.4.13.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeGuard

from hub.errors import BadInputError
from hub.formats.bounded_json import load_json
from hub.formats.errors import JsonError

RESULTS_LIMIT_BYTES = 4 * 1024**2
VALUES_LIMIT = 400_000
TASKS_SHOWN = 20
TEXT_LIMIT = 200
PLACE = "The results file"
# What says how a number came about; all else of the file (host, paths, packages) is left out.
_CONFIG_KEYS = (
    "model", "model_dtype", "model_num_parameters", "model_revision", "model_sha", "batch_size",
    "device", "limit", "random_seed", "numpy_seed", "torch_seed", "fewshot_seed",
)  # fmt: skip
_MODEL_KEYS = ("dtype", "revision", "softmax_dtype", "add_bos_token", "max_length", "parallelize")
_TOP_KEYS = (
    "git_hash", "transformers_version", "chat_template_sha", "system_instruction_sha",
    "fewshot_as_multiturn",
)  # fmt: skip
_TASK_KEYS = ("output_type", "num_fewshot", "repeats", "target_delimiter")
_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}\Z", re.ASCII)
# A path of the machine that ran it, wherever it stands in a text.
_PATH = re.compile(r"(^|[\s='\":,;(\[])(/|~|\.{1,2}/|[A-Za-z]:[\\/]|\\\\|file:)")

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """One number of a task with the standard error that stands beside it, if any."""

    value: float
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class TaskResults:
    """What the file says of one task.

    `values` has the numbers by (metric, filter); `count` the items that were asked; `source` how
    they were made, in plain values without a path. `samples_hash` is that of the lines of its
    samples, empty where the file is of a run without them.
    """

    task: str
    values: Mapping[tuple[str, str], Value]
    count: int | None
    source: Facts
    samples_hash: str = ""

    @property
    def filters(self) -> list[str]:
        """The names of the filters, in the order of the file."""
        return list(dict.fromkeys(name for _metric, name in self.values))

    def value_of(self, metric: str, filter_name: str | None) -> Value | None:
        """The number of `metric`, under its filter, or under the only one that there is."""
        if filter_name is not None and (metric, filter_name) in self.values:
            return self.values[metric, filter_name]
        found = [value for (name, _filter), value in self.values.items() if name == metric]
        return found[0] if len(found) == 1 else None


def read_results(content: bytes, *, task: str = "") -> TaskResults:
    """What the file says of `task`, which may be left out where it holds one task only.

    Raises:
        BadInputError: not such a file, over a limit, a number that is none, or no such task.
    """
    data = _load(content)
    results = data.get("results")
    if not isinstance(results, dict) or not results:
        raise BadInputError(
            f"{PLACE} has no results: send the results_*.json that lm_eval --output_path wrote."
        )
    name = _task_named(task, results)
    given = results[name]
    if not isinstance(given, dict):
        raise BadInputError(f"{PLACE} holds no numbers for the task {name[:80]!r}.")
    values = _values(given, name)
    if not values:
        raise BadInputError(f"{PLACE} holds no numbers for the task {name[:80]!r}.")
    told = _part(data, "task_hashes").get(name)
    samples_hash = told if isinstance(told, str) else ""
    return TaskResults(name, values, _count(data, name), _source(data, name), samples_hash)


def _load(content: bytes) -> Facts:
    try:
        data = load_json(content, max_bytes=RESULTS_LIMIT_BYTES, max_nodes=VALUES_LIMIT)
    except JsonError as error:
        raise BadInputError(f"{PLACE}: {error}") from error
    if not isinstance(data, dict):
        raise BadInputError(f"{PLACE} is no JSON object.")
    return data


def _task_named(task: str, results: Facts) -> str:
    if task in results:
        return task
    known = ", ".join(name[:80] for name in list(results)[:TASKS_SHOWN])
    if task:
        raise BadInputError(f"{PLACE} has no task {task[:80]!r}: it has {known}.")
    if len(results) > 1:
        raise BadInputError(f"{PLACE} has several tasks ({known}): name the one you mean.")
    return next(iter(results))


def _values(given: Facts, task: str) -> dict[tuple[str, str], Value]:
    """`{"acc,none": 0.46, "acc_stderr,none": 0.05}` as numbers by metric and filter."""
    numbers: dict[tuple[str, str], Any] = {}
    for key, value in given.items():
        metric, comma, filter_name = key.partition(",")
        if comma and len(key) <= 2 * TEXT_LIMIT:
            numbers[metric, filter_name] = value
    found: dict[tuple[str, str], Value] = {}
    for (metric, filter_name), value in numbers.items():
        if metric.endswith("_stderr") and (metric.removesuffix("_stderr"), filter_name) in numbers:
            continue
        if not is_number(value):
            raise BadInputError(f"{PLACE}: {metric[:80]} of the task {task[:80]!r} is no number.")
        stderr = numbers.get((f"{metric}_stderr", filter_name))
        spread = float(stderr) if is_number(stderr) and stderr >= 0 else None
        found[metric, filter_name] = Value(float(value), spread)
    return found


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is a finite number, which true and false are not."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _count(data: Facts, task: str) -> int | None:
    """How many items were asked: `n-samples` of newer files, `sample_len` beside the numbers."""
    told = _part(_part(data, "n-samples"), task).get("effective")
    count = told if told is not None else _part(data["results"], task).get("sample_len")
    if not isinstance(count, int) or isinstance(count, bool):
        return None
    return count if 0 < count <= 10**9 else None


def _part(data: Facts, key: str) -> Facts:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _source(data: Facts, task: str) -> Facts:
    config, model = _part(data, "config"), _model_arguments(data)
    found: Facts = {
        "harness": "lm_eval",
        "version": _plain(data.get("lm_eval_version")),
        "task": _plain(task),
        "task_version": _plain(_part(data, "versions").get(task)),
        "num_fewshot": _plain(_part(data, "n-shot").get(task)),
        "date": _date(data.get("date")),
        "model": _repo_id(model.get("pretrained")),
    }
    found |= {name: _plain(data.get(name)) for name in _TOP_KEYS}
    found["config"] = _kept(config, _CONFIG_KEYS) | _kept(model, _MODEL_KEYS)
    found["config"] |= {"gen_kwargs": _flat(config.get("gen_kwargs"))}
    found["task_config"] = _kept(_part(_part(data, "configs"), task), _TASK_KEYS)
    return {key: value for key, value in found.items() if value not in (None, "", {})}


def _model_arguments(data: Facts) -> Facts:
    """`model_args`, which older versions write as `pretrained=x,dtype=y`."""
    given = _part(data, "config").get("model_args")
    if isinstance(given, dict):
        return given
    if not isinstance(given, str):
        return {}
    pairs = (part.partition("=") for part in given[: 10 * TEXT_LIMIT].split(","))
    return {key.strip(): value.strip() for key, _sign, value in pairs}


def _kept(values: Facts, keys: tuple[str, ...]) -> Facts:
    known = {key: _plain(values.get(key)) for key in keys}
    return {key: value for key, value in known.items() if value is not None}


def _flat(values: Any) -> Facts | None:
    """A small map of plain values, such as temperature and until."""
    if not isinstance(values, dict):
        return None
    known = {str(key)[:40]: _plain(value) for key, value in list(values.items())[:20]}
    return {key: value for key, value in known.items() if value is not None}


def _plain(value: Any) -> str | int | float | bool | None:
    """A short text or a number; nothing that names a place on somebody's machine."""
    if isinstance(value, bool) or is_number(value):
        return value
    if not isinstance(value, str) or not value.isprintable() or _PATH.search(value):
        return None
    return value[:TEXT_LIMIT]


def _repo_id(value: Any) -> str | None:
    named = isinstance(value, str) and _REPO_ID.match(value)
    return value if named else None


def _date(value: Any) -> str | None:
    if not is_number(value) or not 0 < value < 2**33:
        return None
    return datetime.fromtimestamp(value, UTC).date().isoformat()

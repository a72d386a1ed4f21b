"""Where a benchmark's rows lie: the file of its items, and that of its examples (few-shot)."""

import re
from dataclasses import dataclass
from typing import Any

from hub.errors import BadInputError
from training.specs.schema import (
    REPO_ID,
    REVISION,
    Number,
    OneOf,
    Text,
    canonical_json,
    read_map,
    read_path,
    refuse_unknown,
)

MAX_SHOTS = 64
MAX_SHOT_CHARACTERS = 32_000
SAMPLE_BY = ("line", "paragraph", "document")
SAMPLERS = ("seeded", "first_n")
SPLIT = Text(128, re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z"), "a name of letters, digits, . _ -")
_FEWSHOT_KEYS = ("sampler", "seed", "split", "samples")
_KWARGS = ("data_files", "revision", "sample_by")


@dataclass(frozen=True, slots=True)
class Rows:
    """A file of rows in a repository.

    `repo_id` and `revision` are None where it lies beside the definition. `sample_by` says what
    one row of a plain text file is.
    """

    file: str
    repo_id: str | None = None
    revision: str | None = None
    sample_by: str = "line"


@dataclass(frozen=True, slots=True)
class Fewshot:
    """The examples before every question: `count` rows of `file`, or `samples` as they stand.

    They are the same for every question, chosen by `sampler`: in a seeded order that the order of
    lines has no part in, or from the top of the file.
    """

    count: int
    file: str | None = None
    sampler: str = "seeded"
    seed: int = 0
    samples: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What decides the choice; the file's bytes have a digest of their own."""
        if self.samples:
            return {"samples": [dict(row) for row in self.samples[: self.count]]}
        found: dict[str, Any] = {"count": self.count, "sampler": self.sampler}
        return found | ({"seed": self.seed} if self.sampler == "seeded" else {})


def read_rows_of(values: dict[str, Any], place: str) -> Rows:
    """The file with the items: of the split test, else of validation.

    It is `SPLIT.jsonl`, in the folder `dataset_name` if that is given, unless
    `dataset_kwargs.data_files` names another file.
    """
    split = values.get("test_split") or values.get("validation_split") or "test"
    kwargs = _kwargs(values, place)
    revision = kwargs.get("revision")
    repo_id = values.get("dataset_path")
    return Rows(
        file=file_of_split(values, split, place),
        repo_id=None if repo_id is None else REPO_ID.read(repo_id, f"{place}.dataset_path"),
        revision=None
        if revision is None
        else REVISION.read(revision, f"{place}: dataset_kwargs.revision"),
        sample_by=OneOf(SAMPLE_BY).read(
            kwargs.get("sample_by", "line"), f"{place}: dataset_kwargs.sample_by"
        ),
    )


def read_fewshot(values: dict[str, Any], items_file: str, place: str) -> Fewshot | None:
    """The examples that the file asks for; None for none.

    Raises:
        BadInputError: it names no other file than that of the items to take them from.
    """
    count = Number(0, MAX_SHOTS, whole=True).read(
        values.get("num_fewshot") or 0, f"{place}: num_fewshot"
    )
    config = read_map(values.get("fewshot_config") or {}, f"{place}: fewshot_config")
    where = f"{place}: fewshot_config"
    refuse_unknown(config, _FEWSHOT_KEYS, where)
    sampler = OneOf(SAMPLERS).read(config.get("sampler", "seeded"), f"{where}.sampler")
    seed = Number(0, 2**32 - 1, whole=True).read(config.get("seed", 0), f"{where}.seed")
    samples = _samples(config.get("samples"), f"{where}.samples")
    if not count:
        return None
    if samples:
        if count > len(samples):
            raise BadInputError(
                f"{place} asks for {count} examples and gives {len(samples)}; lower num_fewshot."
            )
        return Fewshot(count, samples=samples)
    split = config.get("split") or values.get("fewshot_split") or values.get("training_split")
    if split is None:
        raise BadInputError(
            f"{place} asks for {count} examples and has no fewshot_split; name the split they are "
            "taken from."
        )
    file = file_of_split(values, split, place)
    if file == items_file:
        raise BadInputError(
            f"{place} takes its examples from {file}, where its items are; use another split, so "
            "that no question shows its own answer."
        )
    return Fewshot(count, file, sampler, seed)


def file_of_split(values: dict[str, Any], split: Any, place: str) -> str:
    """The file of a split."""
    split = SPLIT.read(split, f"{place}: the split {str(split)[:40]!r}")
    files = _kwargs(values, place).get("data_files")
    if isinstance(files, str):
        return read_path(files, f"{place}: dataset_kwargs.data_files")
    named = read_map(files or {}, f"{place}: dataset_kwargs.data_files")
    folder = values.get("dataset_name")
    default = f"{split}.jsonl" if folder is None else f"{folder}/{split}.jsonl"
    file = named.get(split, default)
    if isinstance(file, list) and len(file) == 1:
        file = file[0]
    return read_path(file, f"{place}: file of the split {split}")


def _kwargs(values: dict[str, Any], place: str) -> dict[str, Any]:
    kwargs = read_map(values.get("dataset_kwargs") or {}, f"{place}: dataset_kwargs")
    refuse_unknown(kwargs, _KWARGS, f"{place}: dataset_kwargs")
    return {key: value for key, value in kwargs.items() if value is not None}


def _samples(value: Any, name: str) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_SHOTS:
        raise BadInputError(f"{name} must be a list of 1 to {MAX_SHOTS} rows.")
    rows = tuple(read_map(each, f"{name}[{index}]") for index, each in enumerate(value))
    if len(canonical_json(rows)) > MAX_SHOT_CHARACTERS:
        raise BadInputError(f"{name} has more than {MAX_SHOT_CHARACTERS} characters; use a file.")
    return rows

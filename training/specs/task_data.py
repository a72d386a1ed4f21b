"""Where the rows of an imported task come from: a data set of this hub, or beside the file."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from hub.errors import BadInputError
from training.specs.notes import gettext_noop
from training.specs.row_files import SUFFIXES
from training.specs.schema import read_path
from training.specs.task_parts import Draft

# Names of loaders, not of data sets: the rows are files that the task brings along.
LOADERS = {"json": ".jsonl", "csv": ".csv", "parquet": ".parquet", "text": ".txt"}
_SPLITS = ("test_split", "validation_split")


def place_rows(
    draft: Draft, *, repo_id: str | None, data_file: str | None, knows: Callable[[str], bool]
) -> str | None:
    """Say where the rows are; the data set that is missing from this hub, if one is."""
    for key in _SPLITS:
        if isinstance(draft.values.get(key), str):
            draft.made[key] = draft.values[key]
    if not any(key in draft.made for key in _SPLITS):
        draft.note(gettext_noop("It names no split to test on: test is taken."))
    named = draft.values.get("dataset_path")
    named = named if isinstance(named, str) else None
    loader = LOADERS.get(named or "json")
    at_home = loader is not None or (repo_id is None and knows(str(named)))
    if repo_id is not None:
        draft.made["dataset_path"] = repo_id
        if named is not None and loader is None and named != repo_id:
            draft.note(gettext_noop("The rows of %(named)s are read from %(here)s."),
                       named=named, here=repo_id)  # fmt: skip
    elif at_home and loader is None:
        draft.made["dataset_path"] = named
    _take_files(draft, loader, data_file)
    if repo_id is not None or at_home:
        return None
    draft.note(
        gettext_noop("The data set %(named)s is not on this hub: put its rows beside the "
                     "benchmark, as %(file)s, or name a data set of this hub."),
        named=named, file=_file(draft),
    )  # fmt: skip
    return named


def _split(draft: Draft) -> str:
    return str(draft.made.get("test_split") or draft.made.get("validation_split") or "test")


def _file(draft: Draft) -> str:
    files = draft.made.get("dataset_kwargs", {}).get("data_files", {})
    folder = draft.made.get("dataset_name")
    split = _split(draft)
    default = f"{split}.jsonl" if folder is None else f"{folder}/{split}.jsonl"
    return str(files.get(split, default))


def _take_files(draft: Draft, loader: str | None, data_file: str | None) -> None:
    """data_files as paths in a repository; everything else of dataset_kwargs is left out."""
    kwargs = draft.values.get("dataset_kwargs")
    kwargs = kwargs if isinstance(kwargs, dict) else {}
    if isinstance(draft.values.get("dataset_name"), str) and data_file is None:
        draft.made["dataset_name"] = draft.values["dataset_name"]
    made: dict[str, Any] = {}
    split = _split(draft)
    files = _files(draft, kwargs.get("data_files"), split)
    if loader not in (None, ".jsonl"):
        files.setdefault(split, f"{split}{loader}")
    if data_file is not None:
        files[split] = read_path(data_file, "The file with the rows")
    if files:
        made["data_files"] = files
    if "sample_by" in kwargs:
        made["sample_by"] = kwargs["sample_by"]
    if made:
        draft.made["dataset_kwargs"] = made
    left = [key for key in kwargs if key not in ("data_files", "sample_by")]
    if left:
        draft.note(
            gettext_noop("dataset_kwargs.%(key)s is left out: rows are read from a file of a "
                         "repository, and no code of a data set runs."),
            key=", dataset_kwargs.".join(left),
        )  # fmt: skip


def _files(draft: Draft, given: Any, split: str) -> dict[str, str]:
    """One file a split, by its path; of a path that leads elsewhere, only the name is kept."""
    listed = given.items() if isinstance(given, dict) else [(split, given)]
    found = {}
    for name, value in listed:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None:
            continue
        if not isinstance(value, str):
            draft.refuse(gettext_noop("data_files names several files for %(split)s; put the rows "
                                      "into one."), split=str(name)[:64])  # fmt: skip
            continue
        found[str(name)] = _path(draft, value)
    return found


def _path(draft: Draft, value: str) -> str:
    try:
        if "://" not in value and "*" not in value:
            return read_path(value, "data_files")
    except BadInputError:
        pass
    name = PurePosixPath(value.split("?", 1)[0].replace("*", "")).name or "test.jsonl"
    name = name if name.endswith(SUFFIXES) else f"{name}.jsonl"
    draft.note(gettext_noop("data_files names %(value)s; its rows are expected beside the "
                            "benchmark, as %(name)s."), value=value[:200], name=name)  # fmt: skip
    return name

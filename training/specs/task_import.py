"""Task files of lm-evaluation-harness, as found in the wild, turned into benchmark files.

What such a file says in plain values is taken over. What names code, or would change the numbers
without our being able to do the same, is refused by its key; what makes no difference is left out
and noted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.errors import BadInputError
from hub.formats.bounded_yaml import dump_yaml
from training.specs.benchmark import BenchmarkDefinition, parse_benchmark
from training.specs.benchmark_metrics import CHOICES, OUTPUT_TYPES, ROLLING, TEXTS
from training.specs.notes import Note, gettext_noop
from training.specs.task_data import place_rows
from training.specs.task_include import load_with_includes
from training.specs.task_parts import Draft, take_fewshot, take_generation, take_metrics

# What the numbers would need code for, or another file.
_CODE_KEYS = {
    "process_docs": gettext_noop("%(key)s changes the rows with code, which the hub does not run."),
    "process_results": gettext_noop(
        "%(key)s computes the scores with code, which the hub does not run."
    ),
    "custom_dataset": gettext_noop("%(key)s makes the rows with code, which the hub does not run."),
    "doc_to_image": gettext_noop("%(key)s shows images, which benchmarks here do not have."),
    "doc_to_audio": gettext_noop("%(key)s plays sound, which benchmarks here do not have."),
    "class": gettext_noop("%(key)s names a class of code, which the hub does not run."),
    "unsafe_code": gettext_noop("%(key)s runs what the model writes, which the hub does not."),
    "use_prompt": gettext_noop("%(key)s fetches the prompt from elsewhere; write it out."),
    "gen_prefix": gettext_noop("%(key)s begins the answer for the model, which is not done here."),
}
_NO_MATTER = ("should_decontaminate", "doc_to_decontamination_query")
_TAKEN = (
    "task", "task_alias", "tag", "output_type", "description", "doc_to_text", "doc_to_choice",
    "doc_to_target", "target_delimiter", "fewshot_delimiter", "weighbridge",
)  # fmt: skip
_ELSEWHERE = (
    "dataset_path", "dataset_name", "dataset_kwargs", "test_split", "validation_split",
    "training_split", "fewshot_split", "fewshot_config", "num_fewshot", "generation_kwargs",
    "repeats", "filter_list", "metric_list", "metadata", "group",
)  # fmt: skip
_ORDER = (
    "task", "task_alias", "tag", "dataset_path", "dataset_name", "dataset_kwargs", "test_split",
    "validation_split", "fewshot_split", "num_fewshot", "fewshot_config", "output_type",
    "description", "doc_to_text", "doc_to_choice", "doc_to_target", "target_delimiter",
    "fewshot_delimiter", "generation_kwargs", "repeats", "filter_list", "metric_list", "metadata",
    "weighbridge",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaskImport:
    """What became of a task file: a benchmark file as `text`, or the `refusals` that stand in
    its way. `dataset_path` is the data set that the file names, where that is not on this hub;
    `file` the rows it then wants beside it."""

    refusals: tuple[Note, ...]
    notes: tuple[Note, ...]
    text: str = ""
    definition: BenchmarkDefinition | None = None
    dataset_path: str | None = None

    @property
    def file(self) -> str | None:
        return None if self.definition is None else self.definition.file


def import_task(
    content: bytes | str,
    *,
    place: str = "The task file",
    repo_id: str | None = None,
    data_file: str | None = None,
    files: Mapping[str, bytes | str] | None = None,
    knows: Callable[[str], bool] = lambda repo_id: False,
) -> TaskImport:
    """The benchmark that a task file describes.

    `repo_id` is the data set of this hub that takes the place of the one it names, `data_file`
    the file in it with the rows, `files` are those that it may include, by name; `knows` tells
    whether a data set is on this hub.

    Raises:
        BadInputError: it is no YAML that the hub reads at all.
    """
    values, tags = load_with_includes(content, place, files or {})
    values = {key: value for key, value in values.items() if value is not None}
    draft = Draft(values, tags)
    _refuse_code(draft)
    if missing := values.get("include"):
        draft.refuse(
            gettext_noop("include brings in %(names)s, which is not here: give that file along "
                         "with this one, or put its lines in place of the include."),
            names=", ".join(map(str, missing))[:200],
        )  # fmt: skip
        return TaskImport(tuple(draft.refusals), ())
    _require_task(draft)
    _take_plain(draft)
    take_metrics(draft)
    take_generation(draft)
    take_fewshot(draft)
    dataset_path = place_rows(draft, repo_id=repo_id, data_file=data_file, knows=knows)
    if draft.refusals:
        return TaskImport(tuple(draft.refusals), tuple(draft.notes), dataset_path=dataset_path)
    text = dump_yaml({key: draft.made[key] for key in _ORDER if key in draft.made})
    try:
        definition = parse_benchmark(text, place=place)
    except BadInputError as error:
        refused = Note("%(reason)s", {"reason": str(error)})
        return TaskImport((refused,), tuple(draft.notes), dataset_path=dataset_path)
    return TaskImport((), tuple(draft.notes), text, definition, dataset_path)


def _refuse_code(draft: Draft) -> None:
    for tagged in draft.tags:
        if tagged.top in (*_NO_MATTER, "metric_list", "filter_list"):
            continue  # left out, or weighed one by one
        draft.refuse(gettext_noop("%(tagged)s names code, and the hub runs none."), tagged=tagged)
    named = {tagged.top for tagged in draft.tags}
    for key, sentence in _CODE_KEYS.items():
        if draft.values.get(key) and key not in named:
            draft.refuse(sentence, key=key, value=str(draft.values[key])[:80])


def _require_task(draft: Draft) -> None:
    if not isinstance(draft.values.get("task"), str):
        if "group" in draft.values:
            draft.refuse(
                gettext_noop("This is a group of tasks: import each of its tasks, and name them "
                             "in a suite.")
            )  # fmt: skip
        else:
            draft.refuse(gettext_noop("It has no task, the name that scores are kept under."))


def _take_plain(draft: Draft) -> None:
    """What stays as it is, and what is left out."""
    for key in _TAKEN:
        if key in draft.values:
            draft.made[key] = draft.values[key]
    if "output_type" not in draft.values:
        draft.made["output_type"] = TEXTS
        draft.note(gettext_noop("It names no output_type: generate_until, as in the harness."))
    elif draft.values["output_type"] not in OUTPUT_TYPES:
        draft.made["output_type"] = TEXTS
        draft.refuse(
            gettext_noop("output_type is %(value)s; here it is one of %(known)s."),
            value=str(draft.values["output_type"])[:80], known=", ".join(OUTPUT_TYPES),
        )  # fmt: skip
    if isinstance(draft.values.get("doc_to_choice"), dict):
        draft.made["doc_to_choice"] = list(draft.values["doc_to_choice"].values())
    _take_old_group(draft)
    _drop_what_means_nothing(draft)
    metadata = draft.values.get("metadata")
    if isinstance(metadata, dict) and metadata.get("version") is not None:
        draft.made["metadata"] = {"version": metadata["version"]}
    known = (*_TAKEN, *_ELSEWHERE, *_CODE_KEYS)
    left = [key for key in draft.values if key not in known]
    if left:
        draft.note(gettext_noop("Left out, as it changes no number here: %(keys)s."),
                   keys=", ".join(left))  # fmt: skip


def _take_old_group(draft: Draft) -> None:
    """`group` beside a task is what older files call its tag."""
    group = draft.values.get("group")
    if group is not None and isinstance(draft.values.get("task"), str):
        draft.made.setdefault("tag", group)
        draft.note(gettext_noop("group is read as tag, its name since version 0.4.4."))


def _drop_what_means_nothing(draft: Draft) -> None:
    kind = draft.made["output_type"]
    dropped = []
    if kind not in (CHOICES, "classification", "embedding") and draft.made.pop(
        "doc_to_choice", None
    ):
        dropped.append("doc_to_choice")
    if kind == ROLLING and draft.made.pop("doc_to_text", ""):
        dropped.append("doc_to_text")
    for key in dropped:
        draft.note(gettext_noop("%(key)s is left out: %(kind)s has no use for it."),
                   key=key, kind=kind)  # fmt: skip

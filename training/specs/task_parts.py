"""Parts of a task file that need more than copying: metrics, filters, generation, examples."""

from dataclasses import dataclass, field
from typing import Any

from training.specs.benchmark_data import SAMPLERS
from training.specs.benchmark_metrics import (
    AGGREGATIONS,
    COMPARES_TEXT,
    METRICS_OF,
    NEEDS_CLASSES,
    TEXTS,
    TOKENIZERS,
    known_metrics,
)
from training.specs.generation import KEYS, MAX_NEW_TOKENS
from training.specs.notes import Note, gettext_noop
from training.specs.patterns import STEPS
from training.specs.task_tags import Tagged

# What lm-evaluation-harness computes where a file names no metric.
DEFAULT_METRICS = {
    "multiple_choice": ("acc", "acc_norm"),
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "generate_until": ("exact_match",),
}
_METRIC_KEYS = (
    "ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore", "k", "tokenize",
)  # fmt: skip
_RENAMED = {"max_new_tokens": "max_gen_toks", "max_tokens": "max_gen_toks", "stop": "until"}
_SAMPLING_KEYS = ("temperature", "top_p", "top_k", "seed", "min_p", "typical_p")
_WITHOUT_EFFECT = {"num_beams": 1, "num_return_sequences": 1, "repetition_penalty": 1}
_FEWSHOT_KEYS = ("sampler", "split", "samples", "seed")


@dataclass
class Draft:
    """A task file on its way: its `values` and `tags`, what was `made` of it, what was said."""

    values: dict[str, Any]
    tags: list[Tagged]
    made: dict[str, Any] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    refusals: list[Note] = field(default_factory=list)

    def note(self, template: str, **values: object) -> None:
        self.notes.append(Note(template, values))

    def refuse(self, template: str, **values: object) -> None:
        self.refusals.append(Note(template, values))

    def tagged(self, start: str) -> list[Tagged]:
        """The tags under a key."""
        return [tag for tag in self.tags if tag.key.startswith((f"{start}.", f"{start}["))]


def take_metrics(draft: Draft) -> None:
    """The metrics that mean here what they mean there; the others are left out."""
    kind = draft.made["output_type"]
    listed = draft.values.get("metric_list")
    if not isinstance(listed, list):
        names = DEFAULT_METRICS.get(kind, METRICS_OF[kind][:1])
        listed = [{"metric": name} for name in names if name in known_metrics(kind)]
    made: list[dict[str, Any]] = []
    for index, entry in enumerate(listed):
        metric = _metric(draft, entry, index, kind)
        if metric is not None and metric["metric"] not in [each["metric"] for each in made]:
            made.append(metric)
    draft.made["metric_list"] = made
    if not made:
        draft.refuse(
            gettext_noop("None of its metrics can be computed here; %(kind)s has %(known)s."),
            kind=kind, known=", ".join(known_metrics(kind)),
        )  # fmt: skip


def _metric(draft: Draft, entry: Any, index: int, kind: str) -> dict[str, Any] | None:
    place = f"metric_list[{index}]"
    values = {"metric": entry} if isinstance(entry, str) else entry
    if not isinstance(values, dict):
        return None
    name = str(values.get("metric"))[:80]
    if tags := draft.tagged(place):
        draft.note(gettext_noop("The metric %(name)s is left out: %(tagged)s names code."),
                   name=name, tagged=tags[0])  # fmt: skip
        return None
    if name not in known_metrics(kind):
        draft.note(gettext_noop("The metric %(name)s is left out: %(kind)s has %(known)s."),
                   name=name, kind=kind, known=", ".join(known_metrics(kind)))  # fmt: skip
        return None
    if name in NEEDS_CLASSES and not isinstance(draft.made.get("doc_to_choice"), list):
        draft.note(gettext_noop("The metric %(name)s is left out: it needs the same choices in "
                                "every item."), name=name)  # fmt: skip
        return None
    if values.get("aggregation", "mean") not in ("mean", AGGREGATIONS.get(name)):
        draft.note(gettext_noop("The metric %(name)s is left out: its aggregation %(value)s is "
                                "not computed here."),
                   name=name, value=str(values["aggregation"])[:40])  # fmt: skip
        return None
    return _plain_metric(draft, name, values)


def _plain_metric(draft: Draft, name: str, values: dict[str, Any]) -> dict[str, Any] | None:
    made: dict[str, Any] = {"metric": name}
    if isinstance(values.get("higher_is_better"), bool):
        made["higher_is_better"] = values["higher_is_better"]
    made |= {key: values[key] for key in _METRIC_KEYS if values.get(key) and _means(name, key)}
    known = ("metric", "aggregation", "higher_is_better", "hf_evaluate", *_METRIC_KEYS)
    unknown = [key for key in values if key not in known and values[key]]
    if unknown:
        draft.note(gettext_noop("The metric %(name)s is left out: its %(key)s is not known here."),
                   name=name, key=unknown[0])  # fmt: skip
        return None
    return made


def _means(name: str, key: str) -> bool:
    return name in (TOKENIZERS if key == "tokenize" else COMPARES_TEXT)


def take_generation(draft: Draft) -> None:
    """generation_kwargs, repeats and filters, where the model writes its answers."""
    if draft.made["output_type"] != TEXTS:
        useless = [key for key in ("generation_kwargs", "filter_list") if draft.values.get(key)]
        for key in useless:
            draft.note(gettext_noop("%(key)s is left out: %(kind)s has no use for it."),
                       key=key, kind=draft.made["output_type"])  # fmt: skip
        return
    given = draft.values.get("generation_kwargs")
    if isinstance(given, dict):
        draft.made["generation_kwargs"] = _generation(draft, given)
    if draft.values.get("repeats", 1) != 1:
        draft.made["repeats"] = draft.values["repeats"]
    if draft.values.get("filter_list"):
        _filters(draft, draft.values["filter_list"])


def _generation(draft: Draft, given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    sampled = given.get("do_sample") is True
    for key, value in given.items():
        name = _RENAMED.get(key, key)
        if value is None or (name in _SAMPLING_KEYS and not sampled):
            continue  # greedy decoding looks at none of them
        if name in _WITHOUT_EFFECT and value == _WITHOUT_EFFECT[name]:
            continue
        if name not in KEYS:
            draft.refuse(
                gettext_noop("generation_kwargs.%(key)s changes the answers in a way that is not "
                             "done here; benchmarks have %(known)s."),
                key=key, known=", ".join(KEYS),
            )  # fmt: skip
            continue
        made[name] = value
    if isinstance(made.get("until"), list):
        made["until"] = [stop for stop in made["until"] if isinstance(stop, str) and stop]
    most = made.get("max_gen_toks")
    if isinstance(most, int) and most > MAX_NEW_TOKENS:
        made["max_gen_toks"] = MAX_NEW_TOKENS
        draft.note(gettext_noop("max_gen_toks is lowered from %(given)s to %(most)s."),
                   given=most, most=MAX_NEW_TOKENS)  # fmt: skip
    return made


def _filters(draft: Draft, listed: Any) -> None:
    """The filters that are done here; the metrics look through the first of them."""
    if not isinstance(listed, list):
        draft.refuse(gettext_noop("filter_list is no list."))
        return
    made = []
    for index, chain in enumerate(listed):
        reason = _reason(draft, chain, f"filter_list[{index}]")
        if reason is None:
            made.append(chain)
            continue
        draft.note(gettext_noop("The filter %(name)s is left out: %(reason)s is not done here."),
                   name=_name(chain, index), reason=reason)  # fmt: skip
    if not made:
        draft.refuse(gettext_noop("None of its filters can be applied here."))
        return
    draft.made["filter_list"] = made
    if len(made) > 1:
        draft.note(
            gettext_noop("It has %(count)s filters, and its metrics look through %(name)s; name "
                         "another one as filter of every metric, or write one file for each."),
            count=len(made), name=_name(made[0], 0),
        )  # fmt: skip


def _name(chain: Any, index: int) -> str:
    return str(chain.get("name", index + 1) if isinstance(chain, dict) else index + 1)[:64]


def _reason(draft: Draft, chain: Any, place: str) -> str | None:
    """Why a chain cannot be applied."""
    if tags := draft.tagged(place):
        return str(tags[0])
    steps: Any = chain.get("filter") if isinstance(chain, dict) else None
    if isinstance(chain, dict) and "function" in chain:
        steps = [chain]
    for step in steps if isinstance(steps, list) else []:
        function = step.get("function") if isinstance(step, dict) else step
        if function not in STEPS:
            return str(function)[:60]
    return None


def take_fewshot(draft: Draft) -> None:
    """num_fewshot, and where the examples come from."""
    count = draft.values.get("num_fewshot") or 0
    config = draft.values.get("fewshot_config")
    config = {k: v for k, v in config.items() if v is not None} if isinstance(config, dict) else {}
    other = [key for key in config if key not in _FEWSHOT_KEYS]
    if count and other:
        draft.refuse(gettext_noop("fewshot_config.%(key)s is not done here."), key=other[0])
    made = {key: value for key, value in config.items() if key in _FEWSHOT_KEYS}
    if made.get("sampler") not in SAMPLERS:
        made.pop("sampler", None)
    for key in ("training_split", "fewshot_split"):
        if isinstance(draft.values.get(key), str):
            draft.made["fewshot_split"] = draft.values[key]
    if made:
        draft.made["fewshot_config"] = made
    if not count:
        return
    draft.made["num_fewshot"] = count
    if "samples" not in made and "sampler" not in made:
        draft.note(gettext_noop("The harness draws other examples for every item; here every item "
                                "gets the same ones, chosen by seed."))  # fmt: skip
    tested, checked = draft.values.get("test_split"), draft.values.get("validation_split")
    if "fewshot_split" not in draft.made and tested and checked:
        draft.made["fewshot_split"] = checked
        draft.note(gettext_noop("The examples are taken from %(split)s."), split=checked)

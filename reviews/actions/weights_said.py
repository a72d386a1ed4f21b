"""What is known of weights, as sentences in the reader's language."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from hub.templatetags.hub_format import MINUS, count_short, percent3, plain_number
from reviews.weights.summary import ALARMS

Parameters = Mapping[str, Any]
GOOD = frozenset({"no_nan", "embeddings_untouched", "no_change", "cast_only", "files_moved"})
NAMED = 4

KINDS = {
    "same": gettext_lazy("same"),
    "changed": gettext_lazy("changed"),
    "dtype": gettext_lazy("other type"),
    "reshaped": gettext_lazy("reshaped"),
    "renamed": gettext_lazy("renamed"),
    "added": gettext_lazy("added"),
    "removed": gettext_lazy("removed"),
    "unread": gettext_lazy("not known"),
}
# In the table; the drawer says why.
UNKNOWN = gettext_lazy("cannot tell")
UNDECIDED = {
    "below_rounding": gettext_lazy("cannot tell: below rounding"),
    "unknown_rounding": gettext_lazy("cannot tell: rounding is not known"),
    "more_than": gettext_lazy("more than were computed"),
    "nothing_above": gettext_lazy("no direction stands out"),
    "not_finite": gettext_lazy("cannot tell: not finite"),
}
_FACTS: dict[str, Any] = {
    "patched": ngettext_lazy(
        "A sparse patch replaces %(replaced)s of %(elements)s elements, in %(count)d tensor.",
        "A sparse patch replaces %(replaced)s of %(elements)s elements, in %(count)d tensors.",
        "count",
    ),
    "adapter_idle": gettext_lazy("The adapter changes nothing: every number stays as it was."),
    "adapter_idle_in": gettext_lazy("The adapter changes nothing in %(names)s."),
    "no_change": gettext_lazy("Every tensor is the same, bit for bit."),
    "files_moved": ngettext_lazy(
        "%(tensors)d tensor lies in another file than before.",
        "%(tensors)d tensors lie in other files than before.",
        "tensors",
    ),
    "cast_only": ngettext_lazy(
        "Only the type changed: %(count)d tensor was cast from %(before)s to %(after)s.",
        "Only the type changed: %(count)d tensors were cast from %(before)s to %(after)s.",
        "count",
    ),
    "cast": ngettext_lazy(
        "%(count)d tensor was cast from %(before)s to %(after)s, bit for bit.",
        "%(count)d tensors were cast from %(before)s to %(after)s, bit for bit.",
        "count",
    ),
    "dtype_changed": ngettext_lazy(
        "The type of %(count)d tensor changed from %(before)s to %(after)s: %(names)s.",
        "The type of %(count)d tensors changed from %(before)s to %(after)s: %(names)s.",
        "count",
    ),
    "low_rank_change": gettext_lazy(
        "LoRA-like change of rank %(ranks)s in %(modules)s, %(where)s: %(size)s of their size."
    ),
    "dense_change": gettext_lazy(
        "Change of full rank in %(modules)s, %(where)s: %(size)s of their size."
    ),
    "change_below_rounding": gettext_lazy(
        "Change in %(modules)s, %(where)s: %(size)s of their size, so little that rounding hides "
        "its rank."
    ),
    "changed": gettext_lazy("Change in %(modules)s, %(where)s: %(size)s of their size."),
    "head_scaled": gettext_lazy("%(tensor)s: head %(parts)s was multiplied by %(factor)s."),
    "head_zeroed": gettext_lazy("%(tensor)s: head %(parts)s is zero now."),
    "head_changed": gettext_lazy("%(tensor)s: only head %(parts)s changed, by %(size)s."),
    "rows_scaled": gettext_lazy("%(tensor)s: row %(parts)s was multiplied by %(factor)s."),
    "rows_zeroed": gettext_lazy("%(tensor)s: row %(parts)s is zero now."),
    "rows_changed": gettext_lazy("%(tensor)s: only row %(parts)s changed, by %(size)s."),
    "columns_scaled": gettext_lazy("%(tensor)s: column %(parts)s was multiplied by %(factor)s."),
    "columns_zeroed": gettext_lazy("%(tensor)s: column %(parts)s is zero now."),
    "columns_changed": gettext_lazy("%(tensor)s: only column %(parts)s changed, by %(size)s."),
    "elements_scaled": gettext_lazy("%(tensor)s: element %(parts)s was multiplied by %(factor)s."),
    "elements_zeroed": gettext_lazy("%(tensor)s: element %(parts)s is zero now."),
    "elements_changed": gettext_lazy("%(tensor)s: only element %(parts)s changed, by %(size)s."),
    "tensor_scaled": gettext_lazy("%(tensor)s as a whole was multiplied by %(factor)s."),
    "tensor_zeroed": gettext_lazy("%(tensor)s is zero now."),
    "rows_zeroed_among_changes": ngettext_lazy(
        "%(tensor)s: %(count)d row became zero among other changes.",
        "%(tensor)s: %(count)d rows became zero among other changes.",
        "count",
    ),
    "outlier": gettext_lazy("%(tensor)s changed %(times)s times as much as others of its kind do."),
    "nan": gettext_lazy("%(tensor)s holds NaN (%(count)d)."),
    "inf": gettext_lazy("%(tensor)s holds infinite numbers (%(count)d)."),
    "reshaped": gettext_lazy("%(tensor)s has another shape: %(before)s became %(after)s."),
    "swapped": gettext_lazy("%(tensor)s and %(other)s have changed places."),
    "tokens_added": ngettext_lazy("%(count)d token added.", "%(count)d tokens added.", "count"),
    "tokens_removed": ngettext_lazy(
        "%(count)d token removed.", "%(count)d tokens removed.", "count"
    ),
    "rows_added": ngettext_lazy(
        "%(tensor)s has %(count)d more row.", "%(tensor)s has %(count)d more rows.", "count"
    ),
    "rows_removed": ngettext_lazy(
        "%(tensor)s has lost %(count)d row.", "%(tensor)s has lost %(count)d rows.", "count"
    ),
    "modules_reshaped": gettext_lazy(
        "Another shape of %(modules)s, %(where)s: %(before)s became %(after)s."
    ),
    "modules_rows_added": ngettext_lazy(
        "%(count)d more row in each of %(modules)s, %(where)s.",
        "%(count)d more rows in each of %(modules)s, %(where)s.",
        "count",
    ),
    "modules_rows_removed": ngettext_lazy(
        "%(count)d row fewer in each of %(modules)s, %(where)s.",
        "%(count)d rows fewer in each of %(modules)s, %(where)s.",
        "count",
    ),
    "added": gettext_lazy("Added: %(names)s."),
    "removed": gettext_lazy("Removed: %(names)s."),
    "renamed": gettext_lazy("Renamed, with the same content: %(names)s."),
    "embeddings_untouched": gettext_lazy("The embeddings are untouched."),
    "ties_broken": gettext_lazy("%(other)s and %(tensor)s were one and are two now."),
    "ties_made": gettext_lazy("%(other)s and %(tensor)s were two and are one now."),
    "no_nan": gettext_lazy("No NaN and nothing infinite."),
}
_PROBLEMS: dict[str, Any] = {
    "nan": gettext_lazy("%(tensor)s holds NaN (%(count)d)."),
    "inf": gettext_lazy("%(tensor)s holds infinite numbers (%(count)d)."),
    "missing": gettext_lazy("%(tensor)s is missing: config.json asks for it."),
    "unexpected": gettext_lazy("%(tensor)s is not in the architecture that config.json names."),
    "shape_mismatch": gettext_lazy(
        "%(tensor)s has the shape %(found)s; config.json asks for %(expected)s."
    ),
    "dtype_mismatch": gettext_lazy(
        "%(tensor)s is stored as %(found)s; config.json says %(expected)s."
    ),
    "tie_contradicted": gettext_lazy(
        "%(tensor)s differs from %(other)s, and config.json makes both one: one of them is lost."
    ),
    "duplicate": gettext_lazy("%(tensor)s is there twice."),
    "overlapping": gettext_lazy("%(tensor)s lies over other tensors in its file."),
    "header_unreadable": gettext_lazy("%(file)s cannot be read: %(reason)s"),
    "json_unreadable": gettext_lazy("%(file)s cannot be read: %(reason)s"),
    "lfs_pointer": gettext_lazy("%(file)s is the pointer to a large file, not the file."),
    "not_readable": gettext_lazy(
        "%(file)s can run code when it is opened, so nobody looked inside: use safetensors."
    ),
    "no_weights": gettext_lazy("There are no weights left."),
    "adapter_config_missing": gettext_lazy("The adapter has no adapter_config.json."),
    "adapter_config_wrong": gettext_lazy("adapter_config.json is not what PEFT writes: %(field)s."),
    "adapter_not_supported": gettext_lazy(
        "This kind of adapter cannot be compared with its base: %(reason)s."
    ),
    "adapter_does_not_fit": gettext_lazy("The adapter does not fit its base: %(tensor)s."),
    "patch_version": gettext_lazy("%(file)s is no sparse patch, or of a version not known here."),
    "patch_without_base": gettext_lazy("%(file)s has no safetensors weights beside it to change."),
    "patch_does_not_fit": gettext_lazy("The patch does not fit %(tensor)s: %(why)s."),
    "patch_indices_wrong": gettext_lazy(
        "The patch names elements of %(tensor)s out of order or range."
    ),
    "patch_other_base": gettext_lazy(
        "The patch was made for another %(tensor)s than the one beside it: make it anew."
    ),
    "patch_not_possible": gettext_lazy(
        "A patch replaces elements alone, and %(tensor)s has another name, shape or type."
    ),
    "patch_empty": gettext_lazy("Both are the same, bit for bit: there is nothing to patch."),
    "patch_no_smaller": gettext_lazy(
        "So much changed that a patch would be no smaller than the weights: propose these."
    ),
    "no_patch": gettext_lazy("There is no sparse patch beside these weights."),
    "full_weights_not_possible": gettext_lazy(
        "%(tensor)s has no place in the base's files, so these weights cannot be written whole."
    ),
    "config_wrong": gettext_lazy("config.json cannot be right: %(field)s."),
    "dtype_not_decoded": gettext_lazy("%(tensor)s is stored in a way that is not read here."),
    "file_cut_off": gettext_lazy("%(file)s ends too early."),
    "file_missing": gettext_lazy("%(file)s is not in the store: upload it again."),
    "too_many_tensors": gettext_lazy("There are more tensors than can be compared."),
    "workers_died": gettext_lazy("Every worker that tried this died of it."),
    "refused": "%(said)s",
    "internal": gettext_lazy("Something went wrong here; the worker's log says more."),
}

# What an index says wrongly, by the reason of "index_lies".
_INDEX = {
    "wrong_file": gettext_lazy("The index puts %(tensor)s into %(file)s; it lies in %(found)s."),
    "missing_tensor": gettext_lazy("The index puts %(tensor)s into %(file)s, which lacks it."),
    "not_in_index": gettext_lazy("The index lacks %(tensor)s, which lies in %(file)s."),
    "missing_shard": gettext_lazy("%(file)s is missing."),
    "no_index": gettext_lazy("%(file)s is missing: without it no loader reads %(shards)s."),
    "total_size": gettext_lazy(
        "The index says that all tensors have %(declared)s bytes; they have %(actual)s."
    ),
    "no_weight_map": gettext_lazy("%(file)s does not say which tensor lies in which file."),
    "beside_single_file": gettext_lazy(
        "The index names other files than %(file)s beside it: loaders would read different weights."
    ),
}
_TOO_LARGE = gettext_lazy("the header holds more than can be")
_NO_SUCH_FORM = gettext_lazy("the header is not as its format asks")
# Why a header cannot be read, where a code says it.
_UNREADABLE = {
    "cut_off_or_too_long": gettext_lazy("the header is cut off or too long"),
    "past_the_end": gettext_lazy("a tensor lies past the end of the file"),
    "size": gettext_lazy("a tensor is larger than can be"),
    "version": gettext_lazy("its version is not known here"),
    "not an object": gettext_lazy("it is no JSON object"),
    "not_gguf": gettext_lazy("it is no GGUF file"),
    "unknown_dtype": gettext_lazy("a tensor is of a type not known here"),
    **dict.fromkeys(("text_too_long", "too_many_entries", "too_many_texts"), _TOO_LARGE),
    **dict.fromkeys(("alignment", "name", "rank", "repeated_key", "unknown_type"), _NO_SUCH_FORM),
}
# Why an adapter's effect cannot be worked out, by what its reason begins with.
_ADAPTERS = {
    "gguf": gettext_lazy("it is a GGUF file"),
    "peft_type=None": gettext_lazy("adapter_config.json names no method"),
    "peft_type": gettext_lazy("its method is %(value)s, and only LoRA is worked out here"),
    "init_lora_weights": gettext_lazy("it began with %(value)s, which changes the base as well"),
    "shape": gettext_lazy("%(tensor)s or its factors are no matrices"),
    "dtype": gettext_lazy("its factors of %(tensor)s are of a type that is not read here"),
    "factor": gettext_lazy("what %(tensor)s does is not known here"),
    "use_dora": gettext_lazy("it is a DoRA, which scales whole weights as well"),
    "lora_bias": gettext_lazy("its factors have biases"),
    "layer_replication": gettext_lazy("it repeats layers of its base"),
    "target_parameters": gettext_lazy("it changes single parameters such as those of experts"),
    "trainable_token_indices": gettext_lazy("it trains the embeddings of single tokens"),
    "alora_invocation_tokens": gettext_lazy("it works after certain tokens only"),
}
_SETTING = gettext_lazy("what the setting %(setting)s does is not known here")
_WHY = {
    "half_missing": gettext_lazy("half of it is missing"),
    "not_in_base": gettext_lazy("the base has no such tensor"),
    "dtype": gettext_lazy("it is of another type, or of one that is not read here"),
    "shape": gettext_lazy("its indices and values are not as many"),
}
# Ways of merging weights, in the words of the field.
METHODS_SAID = {
    "linear": gettext_lazy("linear: the weighted average"),
    "slerp": gettext_lazy("SLERP: along the arc between both"),
    "task_arithmetic": gettext_lazy("task arithmetic: both changes added to the base"),
    "ties": gettext_lazy("TIES: the largest changes whose signs agree"),
    "dare_linear": gettext_lazy("DARE: random changes kept and scaled"),
    "dare_ties": gettext_lazy("DARE with TIES' election of signs"),
    "model_stock": gettext_lazy("Model Stock: the average, drawn to the base"),
    "ours": gettext_lazy("ours: as on the target branch"),
    "theirs": gettext_lazy("theirs: as in this proposal"),
}
_CONDITIONS = {
    "same_ancestor": gettext_lazy("they have no recorded ancestor in common"),
    "same_names": gettext_lazy("they do not hold the same tensors"),
    "same_shapes": gettext_lazy("tensors have different shapes"),
    "same_dtypes": gettext_lazy("tensors have different types"),
    "same_config": gettext_lazy("their configurations differ"),
    "same_tokenizer": gettext_lazy("their tokenizers differ"),
    "only_learned_tensors_differ": gettext_lazy("counters, tables or quantised values differ"),
    "task_vectors_agree": gettext_lazy(
        "the two changes point away from each other: confirm that you want their average"
    ),
}
_MERGES = {
    "only_whole_weights": gettext_lazy("Only whole safetensors weights are merged, no adapters."),
    "not_in_every_model": gettext_lazy("%(tensor)s is not on both sides: write a rule for it."),
    "shapes_differ": gettext_lazy("%(tensor)s has another shape on the other side."),
    "not_averaged": gettext_lazy("%(tensor)s holds codes that differ: choose a side with a rule."),
    "left_queue": gettext_lazy("The pull request left the merge queue meanwhile."),
    "parents_changed": gettext_lazy("The weights are not those that the recipe names."),
}


@dataclass(frozen=True)
class Sentence:
    """`state` is the word of a mark. `tensor` is one that the sentence is about."""

    text: str
    state: str
    tensor: str = ""


def fact_sentence(fact: Mapping[str, Any]) -> Sentence:
    """A fact of the summary."""
    code, told = fact["code"], fact["parameters"]
    tensor = str(told.get("tensor") or next(iter(_names(told)), ""))
    state = "alarm" if code in ALARMS else "pass" if code in GOOD else "changed"
    return Sentence(str(_FACTS[code] % _shaped(told)), state, "" if code in GOOD else tensor)


def problem_sentence(
    code: str, tensor: str | None, parameters: Parameters, blocks: bool = True
) -> Sentence:
    """What is wrong with weights, or why they cannot be compared."""
    told = _shaped(parameters) | {"tensor": tensor or parameters.get("tensor") or _("A tensor")}
    reason = str(parameters.get("reason"))
    if code in {"header_unreadable", "json_unreadable"} and reason in _UNREADABLE:
        told["reason"] = str(_UNREADABLE[reason])
    if code == "adapter_not_supported":
        told["reason"] = _adapter_reason(reason, told)
    words = _INDEX.get(reason) if code == "index_lies" else _PROBLEMS.get(code)
    text = (words or _PROBLEMS["internal"]) % _Told(told)
    return Sentence(str(text), "fail" if blocks else "alarm", tensor or "")


def header_sentence(problem: str) -> str:
    """Why the header of a file cannot be read, as `GgufError` tells it."""
    code, parameters = json.loads(problem)
    return problem_sentence(code, None, {"file": _("This file"), **parameters}).text


def merge_sentence(code: str, parameters: Parameters) -> str:
    """Why weights were not merged."""
    if code == "not_to_be_averaged":
        why = _CONDITIONS.get(str(parameters.get("condition")), str(parameters.get("condition")))
        return _("These weights are not to be averaged: %(why)s.") % {"why": why}
    if code in _MERGES:
        return str(_MERGES[code] % _shaped(parameters))
    return problem_sentence(code, None, parameters).text


def unmet_sentence(unmet: Iterable[Mapping[str, Any]]) -> str:
    """The conditions of averaging that do not hold, in words; empty where all do."""
    return "; ".join(str(_CONDITIONS.get(each["code"], each["code"])) for each in unmet)


def _adapter_reason(reason: str, told: Parameters) -> str:
    """A setting, perhaps with its value, or what the adapter's tensors are."""
    name, _equals, value = reason.partition("=")
    words = _ADAPTERS.get(reason) or _ADAPTERS.get(name, _SETTING)
    return str(words % {**told, "setting": name, "value": value})


class _Told(dict[str, Any]):
    """Parameters of a sentence; one that is not known stays a dash."""

    def __missing__(self, key: str) -> str:
        return "—"


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(names[:NAMED])
    if (more := len(names) - NAMED) > 0:
        return _("%(names)s and %(count)d more") % {"names": shown, "count": more}
    return shown


def shape_text(shape: Sequence[int] | None) -> str:
    return " × ".join(map(str, shape)) if shape else "—" if shape is None else "1"


def _names(told: Parameters) -> list[str]:
    found = told.get("tensors")
    return found if isinstance(found, list) else []


def _shaped(told: Parameters) -> _Told:
    shaped = _Told(told)
    shaped["names"] = listed(_names(told))
    if told.get("reason") in _WHY:
        shaped["why"] = str(_WHY[told["reason"]])
    if "replaced" in told:
        shaped["replaced"] = f"{told['replaced']:,}".replace(",", "\N{NO-BREAK SPACE}")
        shaped["elements"] = count_short(told["elements"])
    for name in ("before", "after", "expected", "found"):
        if isinstance(told.get(name), list | tuple):
            shaped[name] = shape_text(told[name])
    if told.get("factor") is not None:
        shaped["factor"] = _factor_text(told["factor"])
    if told.get("times") is not None:
        shaped["times"] = plain_number(told["times"])
    if "relative" in told:
        shaped["size"] = percent3(told["relative"])
    if "modules" in told:
        shaped |= {"modules": listed(told["modules"]), "where": _where(told["layers"])}
    if "rank" in told:
        least, most = told.get("rank_min", told["rank"]), told["rank"]
        shaped["ranks"] = str(most) if least == most else f"{least}–{most}"
    if "heads" in told:
        shaped["parts"] = ", ".join(map(str, told["heads"]))
    elif "ranges" in told:  # half-open, from 0
        shaped["parts"] = _runs([(start, stop - 1) for start, stop in told["ranges"]])
    return shaped


def _factor_text(factor: float) -> str:
    """A factor with at least three digits of what it differs from 1 by: 1.5, 1.00001."""
    away = abs(factor - 1)
    digits = max(4, 3 - math.floor(math.log10(away))) if 1e-12 < away < 1 else 4
    return f"{factor:.{digits}g}".replace("-", MINUS)


def _runs(runs: Sequence[Sequence[int]]) -> str:
    """Runs of numbers, both ends included."""
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs)


def _where(layers: Sequence[Sequence[int]]) -> str:
    if not layers:
        return _("outside the layers")
    count = sum(last - first + 1 for first, last in layers)
    found = ngettext("layer %(runs)s", "layers %(runs)s", count)
    return found % {"runs": _runs(layers)}

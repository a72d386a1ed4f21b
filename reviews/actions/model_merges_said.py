"""What a merge of models is told as, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.models import Repository
from hub.policies import Actor, file_access, visible_repositories
from reviews.actions.model_family import is_alike
from reviews.actions.model_merges import Prepared
from reviews.actions.weights_said import merge_sentence
from reviews.jobs.model_landing import licence_of
from reviews.models import ModelMerge

_ERRORS: dict[str, Any] = {
    "source_gone": gettext_lazy(
        "%(source)s is gone, or %(who)s may not read its files any more. Nothing was proposed."
    ),
    "may_not_propose": gettext_lazy("%(who)s may not propose changes here any more."),
    "only_safetensors": gettext_lazy("Only safetensors weights are merged here."),
    "base_not_whole": gettext_lazy("The common base holds no whole weights: choose another one."),
    "adapter_of_another": gettext_lazy(
        "An adapter lies beside whole weights that are not those of the common base."
    ),
    "adapters_and_whole": gettext_lazy(
        "Adapters and whole models are not merged with one another: put the adapters into their "
        "base first."
    ),
    "layouts_differ": gettext_lazy("The common base keeps its weights in another folder."),
    "adapter_not_exact": gettext_lazy(
        "Adapters are merged by their products, which is exact for linear and task arithmetic "
        "only. This does not fit: %(reason)s."
    ),
    "not_in_every_model": gettext_lazy("%(tensor)s is not in every model."),
    "shapes_differ": gettext_lazy("%(tensor)s has not the same shape in every model."),
    "refused_untold": gettext_lazy("It was refused: %(who)s is told why."),
    "not_exact_untold": gettext_lazy(
        "Adapters are merged by their products, which is exact for linear and task arithmetic only."
    ),
}
# Said in place of those that are nothing but their details.
_UNTOLD = {"refused": "refused_untold", "adapter_not_exact": "not_exact_untold"}
_STAGES: dict[str, Any] = {
    "reading": gettext_lazy("Reading %(source)s"),
    "conditions": gettext_lazy("Comparing what each of them changed"),
    "merging": gettext_lazy("Writing the merged weights"),
}
CONDITIONS: dict[str, Any] = {
    "same_ancestor": gettext_lazy("They come from one base."),
    "same_names": gettext_lazy("They hold the same tensors."),
    "same_shapes": gettext_lazy("Their tensors have the same shapes."),
    "same_dtypes": gettext_lazy("Their tensors are stored in the same types."),
    "same_config": gettext_lazy("Their configurations are the same."),
    "same_tokenizer": gettext_lazy("Their tokenizers are the same."),
    "only_learned_tensors_differ": gettext_lazy(
        "Counters, tables and quantised values are the same in all."
    ),
    "task_vectors_agree": gettext_lazy("What each of them changed points to one side."),
}


@dataclass(frozen=True)
class Line:
    """One condition or warning; `state` is the word of a mark."""

    text: str
    state: str


@dataclass(frozen=True)
class Source:
    """A model of a merge as somebody may see it: `name` "" for one that is not shown to them;
    `is_open`: whether they may know what lies in its files."""

    name: str
    url: str
    oid: str
    weight: float | None
    is_open: bool


def sources_of(row: ModelMerge, actor: Actor) -> list[Source]:
    """The base and the models; a name is told to who asked for the merge and who may see it, what
    lies in the files to who asked and who may read them."""
    seen = visible_repositories(actor).filter(pk__in=[each["key"] for each in row.sources])
    here = {repository.pk: repository for repository in seen}
    is_theirs = actor.user.pk == row.by_id
    told = []
    for source in row.sources:
        repository = here.get(source["key"])
        name = repository.repo_id if repository else source["repo_id"]
        is_open = is_theirs or (repository is not None and file_access(actor, repository).allows)
        told.append(
            Source(
                name=name if repository or is_theirs else "",
                url=repository.get_absolute_url() if repository else "",
                oid=source["oid"],
                weight=source.get("weight"),
                is_open=is_open,
            )
        )
    return told


def conditions_told(row: ModelMerge, sources: Sequence[Source]) -> list[dict[str, Any]]:
    """The conditions of a merge; their parameters name what lies in the files of all sources."""
    is_open = all(each.is_open for each in sources)
    return [each if is_open else each | {"parameters": {}} for each in row.conditions]


def error_said(row: ModelMerge, sources: Sequence[Source]) -> str:
    """Why nothing came of it, with names from the files only for whom all are open; "" where there
    is no error."""
    if not row.error:
        return ""
    code, parameters = row.error["code"], row.error.get("parameters") or {}
    told = {"who": row.by.username, "source": _name(sources, parameters.get("place"))}
    if not all(each.is_open for each in sources):
        code = _UNTOLD.get(code, code)
        kept = {"condition"} & parameters.keys()  # a code of ours
        parameters = {"tensor": _("A tensor")} | {name: parameters[name] for name in kept}
    told |= {name: parameters.get(name, "—") for name in ("tensor", "reason")}
    if code in _ERRORS:
        return str(_ERRORS[code] % told)
    return merge_sentence(code, parameters)


def stage_said(row: ModelMerge, sources: Sequence[Source]) -> str:
    """What a worker is at."""
    stage = row.progress.get("stage")
    if stage not in _STAGES:
        return _("Waiting for a worker")
    return str(_STAGES[stage] % {"source": _name(sources, row.progress.get("place"))})


def _name(sources: Sequence[Source], place: Any) -> str:
    known = isinstance(place, int) and 0 <= place < len(sources)
    return (sources[place].name if known else "") or _("one of the models")


def conditions_said(row: ModelMerge, sources: Sequence[Source]) -> list[Line]:
    """What averaging asks for, and whether it holds."""
    told = []
    for each in conditions_told(row, sources):
        text = str(CONDITIONS.get(each["code"], each["code"]))
        told.append(Line(text + _more(each), "pass" if each["holds"] else "fail"))
    return told


def _more(condition: Mapping[str, Any]) -> str:
    told = condition["parameters"]
    if condition["code"] == "same_ancestor" and told.get("recorded") is False:
        return " " + _("Their cards do not say so: taken on the word of who asked.")
    cosines = [each["cosine"] for each in told.get("cosines", []) if each["cosine"] is not None]
    if cosines:
        return " " + _("Lowest cosine: %(cosine)s.") % {"cosine": f"{min(cosines):.3f}"}
    if not condition["holds"] and told.get("examples"):
        return " " + _("Not so: %(names)s.") % {"names": ", ".join(map(str, told["examples"]))}
    return ""


def warnings_said(prepared: Prepared) -> list[Line]:
    """What is known before weights are read, and what to think of first."""
    models = [each.repository for each in prepared.models]
    base = prepared.base.repository
    told = [_ancestor(prepared), _architecture(models)]
    licences = {licence_of(each.card_data) for each in (base, *models)}
    if len(licences) > 1:
        named = ", ".join(sorted(each or _("none named") for each in licences))
        text = _("Their licences differ (%(licences)s): whoever merges answers for that.")
        told.append(Line(text % {"licences": named}, "alarm"))
    hidden = sorted({each.repo_id for each in (base, *models) if each.is_private or each.gated})
    if hidden:
        text = _(
            "Not everybody may read %(names)s: the proposal names them, and holds weights made "
            "of theirs, for all who may read this model."
        )
        told.append(Line(text % {"names": ", ".join(hidden)}, "alarm"))
    return told


def _ancestor(prepared: Prepared) -> Line:
    base = prepared.base.repository.repo_id
    if prepared.recorded:
        return Line(_("By their cards all of them come from %(base)s.") % {"base": base}, "pass")
    text = _("Their cards do not lead to %(base)s: averaging means something only if they do.")
    return Line(text % {"base": base}, "alarm")


def _architecture(models: Sequence[Repository]) -> Line:
    if all(is_alike(models[0], each) for each in models[1:]):
        return Line(_("The same architecture and number of parameters."), "pass")
    return Line(_("The architectures seem to differ: the worker will refuse what does."), "alarm")

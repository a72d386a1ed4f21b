"""The form that merges models."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from hub.models import Repository
from reviews.actions.model_merges import MOST, OFFERED, Part, Wanted
from reviews.actions.weights_said import METHODS_SAID
from reviews.weights.merging.methods import Method

OTHERS = range(1, MOST)
SHOWN_AT_FIRST = 2
THINNING = (Method.TIES, Method.DARE_LINEAR, Method.DARE_TIES)


class ModelMergeForm(forms.Form):
    """`model-N` and `weight-N`: the others, and how much each counts; `weight-0` is ours."""

    method = forms.ChoiceField(
        label=_("Way of merging"), choices=[(each.value, METHODS_SAID[each]) for each in OFFERED]
    )
    base = forms.CharField(
        label=_("Common base"),
        required=False,
        max_length=300,
        help_text=_(
            "Left empty: the nearest one that all cards lead to, as it is now. If it has changed "
            "since, name the revision they started from: namespace/name@revision."
        ),
    )
    scale = forms.FloatField(
        label=_("λ, of task vectors"), required=False, min_value=-10, max_value=10, initial=1
    )
    density = forms.FloatField(
        label=_("Density, of TIES and DARE"),
        required=False,
        min_value=0.01,
        max_value=1,
        initial=0.5,
    )
    t = forms.FloatField(
        label=_("Place on the arc, of SLERP"), required=False, min_value=0, max_value=1, initial=0.5
    )
    seed = forms.IntegerField(
        label=_("Seed, of DARE"), required=False, min_value=0, max_value=2**53 - 1, initial=0
    )
    title = forms.CharField(label=_("Title of the pull request"), max_length=256)
    confirmed = forms.BooleanField(
        label=_("Average them even if what they changed points away from each other"),
        required=False,
    )

    def __init__(self, repository: Repository, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.repository = repository
        text = {"list": "family", "autocomplete": "off", "spellcheck": "false"}
        for at in (0, *OTHERS):
            if at:
                self.fields[f"model-{at}"] = forms.CharField(
                    label=_("Model %(number)d") % {"number": at + 1},
                    required=at == 1,
                    max_length=300,
                    widget=forms.TextInput(attrs=text),
                )
            self.fields[f"weight-{at}"] = forms.FloatField(
                label=_("Weight"), required=False, min_value=-10, max_value=10, initial=1
            )
        for name in ("scale", "density", "t"):
            self.fields[name].widget.attrs["step"] = "any"
        self.fields["base"].widget.attrs |= text

    def parts_shown(self) -> list[tuple[Any, Any, bool]]:
        """Model, weight, and whether the row is shown at first, of each other model."""
        filled = [at for at in OTHERS if self[f"model-{at}"].value()]
        most = max([SHOWN_AT_FIRST, *filled])
        return [(self[f"model-{at}"], self[f"weight-{at}"], at <= most) for at in OTHERS]

    @property
    def weight_own(self) -> Any:
        """The weight of this repository's own model."""
        return self["weight-0"]

    @property
    def has_more(self) -> bool:
        return any(not is_shown for *_fields, is_shown in self.parts_shown())

    def wanted(self) -> Wanted:
        """What the fields ask for."""
        given = self.cleaned_data
        method = Method(given["method"])
        density = _or(given["density"], 0.5) if method in THINNING else 1.0
        named = [(0, self.repository.repo_id), *((at, given[f"model-{at}"]) for at in OTHERS)]
        parts = [Part(name, _or(given[f"weight-{at}"], 1.0), density) for at, name in named if name]
        parameters = {"lambda": _or(given["scale"], 1.0)}
        if method == Method.SLERP:
            parameters["t"] = _or(given["t"], 0.5)
        return Wanted(
            method=method.value,
            parts=parts,
            base=given["base"],
            parameters=parameters,
            seed=_or(given["seed"], 0),
            confirmed=given["confirmed"],
            title=given["title"],
        )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value

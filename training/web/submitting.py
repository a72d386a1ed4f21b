"""The form that has a model measured."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

MOST_BENCHMARKS = 20


class SubmitForm(forms.Form):
    """A model and a revision of it; `benchmark` may come several times, and not at all."""

    model = forms.CharField(
        label=_("Model"),
        max_length=200,
        help_text=_("namespace/name of a model on this hub whose files you may read."),
        widget=forms.TextInput(attrs={"list": "models", "placeholder": "demo/spam-guard"}),
    )
    revision = forms.CharField(
        label=_("Revision"),
        max_length=250,
        required=False,
        help_text=_("A branch, a tag or a commit. Left empty: the head of its default branch."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        given = self.data.getlist("benchmark") if hasattr(self.data, "getlist") else []
        values["benchmarks"] = [str(text)[:1500] for text in given[:MOST_BENCHMARKS]]
        return values

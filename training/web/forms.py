"""The forms that start runs: fine-tune by a recipe or by values, measure, find a bad commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from training.actions.bisecting import ALPHA, ALPHAS
from training.models import Benchmark


class TitledForm(forms.Form):
    title = forms.CharField(
        label=_("What this should teach the model"),
        max_length=256,
        help_text=_("The title of the pull request that the result comes back as."),
    )


class RecipeForm(TitledForm):
    """Use a recipe that lies in the repository."""

    recipe_path = forms.ChoiceField(
        label=_("Recipe"),
        help_text=_("A file under recipes/ on the default branch. It says all there is to say."),
    )
    field_order = ["recipe_path", "title"]

    def __init__(self, paths: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["recipe_path"].choices = [(path, path) for path in paths]  # type: ignore[attr-defined]


class ValuesForm(TitledForm):
    """Fill in a recipe: it is committed with the result, as recipes/TITLE.yaml."""

    dataset = forms.CharField(
        label=_("Data set"),
        max_length=200,
        help_text=_("namespace/name of a data set on this hub that you may read."),
        widget=forms.TextInput(attrs={"list": "datasets", "placeholder": "demo/sms_spam"}),
    )
    file = forms.CharField(
        label=_("File"),
        max_length=1024,
        initial="train.jsonl",
        help_text=_("JSON lines: one row a line, each an object with named columns."),
    )
    balance_by = forms.CharField(
        label=_("Balance by"),
        max_length=200,
        required=False,
        help_text=_("A column: equally many rows of each of its values are used."),
    )
    prompt = forms.CharField(
        label=_("Prompt"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What the model reads. {{ column }} stands for a row's value."),
    )
    completion = forms.CharField(
        label=_("Completion"),
        help_text=_("What it should answer, such as {{ label }}. Only this is trained on."),
    )
    max_steps = forms.IntegerField(
        label=_("Steps"),
        initial=15,
        min_value=1,
        help_text=_("Optimiser steps. 15 to 40 are enough for a small task."),
    )
    per_device_train_batch_size = forms.IntegerField(
        label=_("Rows a step"), initial=4, min_value=1, help_text=_("More need more memory.")
    )
    max_length = forms.IntegerField(
        label=_("Tokens a row, at most"),
        initial=256,
        min_value=8,
        help_text=_("Longer rows lose the beginning of their prompt."),
    )
    learning_rate = forms.FloatField(
        label=_("Learning rate"),
        initial=0.003,
        help_text=_("For LoRA 1e-4 to 3e-3. Higher ones forget what the model knew."),
    )
    r = forms.IntegerField(
        label=_("LoRA rank"),
        initial=8,
        min_value=1,
        help_text=_("The size of the adapter. 8 is a good start."),
    )
    lora_alpha = forms.IntegerField(
        label=_("LoRA alpha"),
        initial=16,
        min_value=1,
        help_text=_("The adapter's weight is alpha / rank."),
    )
    seed = forms.IntegerField(
        label=_("Seed"), initial=0, min_value=0, help_text=_("The same seed gives the same model.")
    )

    def recipe(self) -> dict[str, Any]:
        """The valid values in the shape of a recipe file."""
        values = self.cleaned_data
        dataset = {"repo_id": values["dataset"], "file": values["file"]}
        if values["balance_by"]:
            dataset["sample"] = {"balance_by": values["balance_by"], "seed": values["seed"]}
        plain = ("max_steps", "per_device_train_batch_size", "max_length", "learning_rate", "seed")
        return {
            "description": values["title"],
            "dataset": dataset,
            "prompt": values["prompt"].replace("\r\n", "\n"),
            "completion": values["completion"],
            "bf16": True,
            "logging_steps": 1,
            "lora": {"r": values["r"], "lora_alpha": values["lora_alpha"]},
            **{key: values[key] for key in plain},
        }


class EvaluateForm(forms.Form):
    """What to measure, and with what: references of benchmarks, ticked and written."""

    revision = forms.CharField(
        label=_("Revision"),
        max_length=250,
        help_text=_("A branch, a tag, a commit, or refs/pr/7."),
        widget=forms.TextInput(attrs={"list": "revisions"}),
    )
    benchmarks = forms.CharField(required=False)
    others = forms.CharField(
        label=_("Others, by name"),
        required=False,
        max_length=4_000,
        help_text=_(
            "One a line: namespace/name:path.yaml of a data set; @revision behind it pins one."
        ),
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "demo/blimp:benchmark.yaml"}),
    )

    def references(self) -> list[str]:
        """Every benchmark that was ticked or written."""
        ticked = self.data.getlist("benchmarks") if hasattr(self.data, "getlist") else []
        return [*ticked, *self.cleaned_data["others"].splitlines()]


class BisectForm(forms.Form):
    """Between which versions, and by which number of which benchmark."""

    benchmark = forms.ChoiceField(label=_("Benchmark"))
    metric = forms.ChoiceField(label=_("Metric"), required=False)
    good = forms.CharField(
        label=_("Good version"),
        max_length=250,
        help_text=_("A commit, tag or branch at which it still did well."),
        widget=forms.TextInput(attrs={"list": "versions"}),
    )
    bad = forms.CharField(
        label=_("Bad version"),
        max_length=250,
        required=False,
        help_text=_("A later one at which it does worse. Empty: the default branch as it is now."),
        widget=forms.TextInput(attrs={"list": "versions"}),
    )
    alpha = forms.FloatField(
        label=_("Level"),
        initial=ALPHA,
        min_value=ALPHAS[0],
        max_value=ALPHAS[1],
        help_text=_("How often chance alone may pass for a loss: 0.05 is one time in twenty."),
    )

    def __init__(self, benchmarks: Sequence[Benchmark], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["benchmark"].choices = [  # type: ignore[attr-defined]
            (pinned_reference(row), row.label) for row in benchmarks
        ]
        metrics: Mapping[str, str] = {
            metric["name"]: metric["label"] for row in benchmarks for metric in row.metrics
        }
        self.fields["metric"].choices = [  # type: ignore[attr-defined]
            ("", _("the first of the benchmark")),
            *metrics.items(),
        ]


def pinned_reference(benchmark: Benchmark) -> str:
    """The reference by which the same digest is pinned again."""
    return f"{benchmark.reference}@{benchmark.revision}"


# Where a refusal's sentence belongs: the first of these that it names.
PLACES = {
    "has no metric": "metric",
    "earlier commit": "good",
    "same model files": "good",
    "later good one": "good",
    "lora.r": "r",
    "lora.lora_alpha": "lora_alpha",
    "balance_by": "balance_by",
    "dataset.file": "file",
    "has no file": "file",
    "dataset.repo_id": "dataset",
    "data set": "dataset",
    "prompt": "prompt",
    "completion": "completion",
    "max_steps": "max_steps",
    "per_device_train_batch_size": "per_device_train_batch_size",
    "max_length": "max_length",
    "learning_rate": "learning_rate",
    "seed": "seed",
    "recipe": "recipe_path",
}


def refuse(form: forms.Form, sentence: str) -> None:
    """Show a refusal at the field that it is about."""
    named = (field for words, field in PLACES.items() if words in sentence)
    form.add_error(next((field for field in named if field in form.fields), None), sentence)

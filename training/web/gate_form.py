"""The gate's rule as a form: every key of the file has a field, and nothing else has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from hub.errors import BadInputError
from training.specs.gate import (
    DEFAULT_ALPHA,
    DEFAULT_DISCORDANCE,
    MAX_BENCHMARKS,
    BlindRule,
    GateBenchmark,
    GateConfig,
    read_gate,
)
from training.specs.gate_text import written_looks

# One more than a rule may have, so that it is refused and not forgotten.
ROWS = [str(number) for number in range(MAX_BENCHMARKS + 1)]


@dataclass(frozen=True)
class Offered:
    """What a benchmark has to offer: (name, label) of its metrics, its own margin, its items."""

    metrics: Sequence[tuple[str, str]]
    margin: str = ""
    items: str = ""


class RuleForm(forms.Form):
    """What holds for all benchmarks."""

    alpha = forms.FloatField(
        label=_("Risk (alpha)"),
        required=False,
        help_text=_("How often a loss as large as the margin may slip through: 0.05 is one in 20."),
        widget=forms.NumberInput(attrs={"placeholder": f"{DEFAULT_ALPHA:g}", "step": "any"}),
    )
    power = forms.FloatField(
        label=_("Power"),
        help_text=_("How often an equally good model should pass each benchmark."),
    )
    looks = forms.CharField(
        label=_("Looks"),
        max_length=200,
        help_text=_("A number of equal looks, or rising shares of the items: 0.25, 0.6, 1."),
    )
    spending = forms.ChoiceField(
        label=_("Spend the risk"),
        choices=[
            ("lan_demets", _("late (Lan-DeMets)")),
            ("obrien_fleming", _("late (O'Brien-Fleming)")),
            ("pocock", _("evenly (Pocock)")),
        ],
    )
    strict = forms.BooleanField(
        label=_("Strict: every further attempt of a pull request is judged at a smaller risk"),
        required=False,
    )
    noise_floor = forms.BooleanField(
        label=_("Measure the noise floor: the base against itself with other batches"),
        required=False,
    )
    contamination = forms.BooleanField(
        label=_("Leave out items that stand in the declared training data"), required=False
    )

    def values(self) -> dict[str, Any]:
        told = self.cleaned_data
        looks = [part.strip() for part in str(told["looks"]).split(",") if part.strip()]
        return told | {"looks": _looks(looks)}


def _looks(parts: Sequence[str]) -> Any:
    """A number of looks or their shares; whatever cannot be read is left for the rule to refuse."""
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return ", ".join(parts)
    if len(numbers) == 1 and numbers[0] >= 1 and numbers[0].is_integer():
        return int(numbers[0])
    return numbers


class BenchmarkForm(forms.Form):
    """One benchmark of the rule."""

    benchmark = forms.CharField(max_length=1500, widget=forms.HiddenInput)
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[("target", _("target")), ("guard", _("guard"))],
        help_text=_("What proposals aim at, or must not harm. Both must pass."),
    )
    metric = forms.ChoiceField(label=_("Metric"), required=False)
    margin = forms.CharField(
        label=_("Margin"),
        required=False,
        max_length=20,
        help_text=_("The largest loss let through: 0.02, or 0.5% of the base's score."),
    )
    limit = forms.IntegerField(
        label=_("Items, at most"), required=False, help_text=_("All of them if left empty.")
    )
    discordance = forms.FloatField(
        label=_("Expected to differ"),
        required=False,
        help_text=_("The share of right/wrong items on which two versions differ."),
    )
    spread = forms.FloatField(
        label=_("Spread"),
        required=False,
        help_text=_("Of other scores: the standard deviation of an item's difference."),
    )
    hidden = forms.BooleanField(
        label=_("Hidden: nobody who proposes may read its items"), required=False
    )

    def __init__(self, told: Offered | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        metrics = told.metrics if told else []
        for name, hint in (("margin", told.margin), ("limit", told.items)) if told else ():
            self.fields[name].widget.attrs["placeholder"] = hint
        self.fields["discordance"].widget.attrs["placeholder"] = f"{DEFAULT_DISCORDANCE:g}"
        given = self["metric"].value() or ""
        known = {name for name, _label in metrics}
        extra = [] if given in known or not given else [(given, given)]
        first = (
            _("its first: %(metric)s") % {"metric": metrics[0][1]} if metrics else _("its first")
        )
        self.fields["metric"].choices = [("", first), *metrics, *extra]  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        told = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        if "margin" in told:
            told["margin"] = _margin(told["margin"])
        return told


def _margin(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()


class BlindForm(forms.Form):
    """The blind review; none where no prompts are named."""

    benchmark = forms.CharField(
        label=_("Prompts"),
        required=False,
        max_length=1500,
        help_text=_("A benchmark that is answered in words; empty for no blind review."),
        widget=forms.TextInput(attrs={"list": "offered-prompts", "autocomplete": "off"}),
    )
    votes = forms.IntegerField(
        label=_("Judgements"),
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": "40"}),
    )
    margin = forms.FloatField(
        label=_("Margin"),
        required=False,
        help_text=_("0.1: the candidate must be shown to win more than 40 %."),
        widget=forms.NumberInput(attrs={"placeholder": "0.1"}),
    )
    limit = forms.IntegerField(
        label=_("Prompts, at most"),
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": "50"}),
    )

    def values(self) -> dict[str, Any] | None:
        told = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        return told if told.get("benchmark") else None


@dataclass
class GateForms:
    """All forms of one rule, as a request or a rule fills them."""

    rule: RuleForm
    benchmarks: list[BenchmarkForm]
    blind: BlindForm

    @property
    def all(self) -> list[forms.Form]:
        return [self.rule, *self.benchmarks, self.blind]

    def config(self) -> GateConfig:
        """The rule that the fields say. Raises: BadInputError naming the field."""
        for form in self.all:
            form.full_clean()
            for name, errors in form.errors.items():
                label = form.fields[name].label if name in form.fields else name
                raise BadInputError(f"{label}: {' '.join(map(str, errors))}")
        values = self.rule.values() | {
            "benchmarks": [form.values() for form in self.benchmarks],
            "blind": self.blind.values(),
        }
        return read_gate(values, place="The rule")


def forms_of(config: GateConfig | None, offered: Mapping[str, Offered]) -> GateForms:
    """The forms that say `config`; of None those of a rule without benchmarks."""
    config = config or GateConfig(())
    looks = written_looks(config)
    rule = {
        "alpha": config.alpha,
        "power": config.power,
        "looks": looks
        if isinstance(looks, int)
        else ", ".join(f"{share!r}".removesuffix(".0") for share in looks),
        "spending": config.spending,
        "strict": config.strict,
        "noise_floor": config.noise_floor,
        "contamination": config.contamination,
    }
    return GateForms(
        RuleForm(initial=rule, prefix="rule"),
        [
            BenchmarkForm(
                offered.get(str(each.reference)), initial=_initial(each), prefix=f"b{number}"
            )
            for number, each in enumerate(config.benchmarks)
        ],
        BlindForm(initial=_blind_initial(config.blind), prefix="blind"),
    )


def _initial(benchmark: GateBenchmark) -> dict[str, Any]:
    values = benchmark.to_dict()
    if benchmark.discordance == DEFAULT_DISCORDANCE:
        values["discordance"] = None
    return values


def _blind_initial(rule: BlindRule | None) -> dict[str, Any]:
    return rule.to_dict() if rule else {}


def bound_forms(data: QueryDict, offered: Mapping[str, Offered], *, without: str = "") -> GateForms:
    """The forms as they were sent, but the benchmark `without`, numbered anew."""
    sent = [row for row in ROWS if f"b{row}-benchmark" in data and row != without]
    told = data.copy()
    for number, row in enumerate(sent):
        for name in BenchmarkForm.base_fields:
            values = data.getlist(f"b{row}-{name}")
            told.setlist(f"b{number}-{name}", values)
    return GateForms(
        RuleForm(told, prefix="rule"),
        [
            BenchmarkForm(
                offered.get(told.get(f"b{number}-benchmark", "")), told, prefix=f"b{number}"
            )
            for number in range(len(sent))
        ],
        BlindForm(told, prefix="blind"),
    )

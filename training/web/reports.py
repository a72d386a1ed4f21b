"""Reporting an evaluation that was made elsewhere: the form, what was reported, taking it back."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from hub.errors import HubError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import Actor
from training.actions.reporting import (
    remove_report,
    report_evaluation,
    require_report,
    visible_reports,
)
from training.jobs.disclosure import readable_benchmarks, told_score
from training.models import Evaluation
from training.specs.lm_eval_results import RESULTS_LIMIT_BYTES
from training.specs.lm_eval_samples import SAMPLES_LIMIT_BYTES
from training.web.figures import between, figure, unit_word

REPORTS_SHOWN = 50
# Where a refusal's sentence belongs: the first of these that it names.
PLACES = {
    "has no task": "task",
    "several tasks": "task",
    "samples": "samples",
    "results": "results",
    "benchmark": "benchmark",
    "data set": "benchmark",
    "revision": "revision",
    "branch": "revision",
}


class ReportForm(forms.Form):
    """The two files of lm-evaluation-harness, and what they are about."""

    benchmark = forms.CharField(
        label=gettext_lazy("Benchmark"),
        max_length=1500,
        help_text=gettext_lazy("namespace/name:benchmark.yaml of a data set on this hub."),
        widget=forms.TextInput(attrs={"placeholder": "demo/blimp:benchmark.yaml"}),
    )
    results = forms.FileField(
        label=gettext_lazy("Results"),
        help_text=gettext_lazy("results_*.json, as lm_eval --output_path wrote it."),
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
    )
    samples = forms.FileField(
        label=gettext_lazy("Samples"),
        required=False,
        help_text=gettext_lazy(
            "samples_*.jsonl of --log_samples. With them every item is paired with the "
            "benchmark's, and the model can be compared item by item."
        ),
        widget=forms.FileInput(attrs={"accept": ".jsonl,.ndjson"}),
    )
    revision = forms.CharField(
        label=gettext_lazy("Revision"),
        max_length=250,
        required=False,
        help_text=gettext_lazy("What was measured. Left empty: the head of the default branch."),
    )
    task = forms.CharField(
        label=gettext_lazy("Task"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("Only where the results hold several tasks."),
    )

    def clean_results(self) -> object:
        return _bounded(self.cleaned_data["results"], RESULTS_LIMIT_BYTES)

    def clean_samples(self) -> object:
        return _bounded(self.cleaned_data.get("samples"), SAMPLES_LIMIT_BYTES)


def _bounded(file: object, limit_bytes: int) -> object:
    if file is not None and getattr(file, "size", 0) > limit_bytes:
        raise forms.ValidationError(
            _("The file is larger than %(limit)d bytes.") % {"limit": limit_bytes}
        )
    return file


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def report(request: HttpRequest, repository: Repository) -> HttpResponse:
    """GET, POST /{namespace}/{name}/evaluations/report"""
    actor = actor_of(request)
    require_report(actor, repository)
    is_sent = request.method == "POST"
    form = ReportForm(request.POST, request.FILES) if is_sent else ReportForm(
        initial={"benchmark": request.GET.get("benchmark", "")[:1500]}
    )  # fmt: skip
    if is_sent and form.is_valid() and (row := _reported(form, repository, actor)) is not None:
        messages.success(request, _said(row))
        return redirect(f"{repository.get_absolute_url()}/evaluations/report")
    rows = visible_reports(actor, repository)[:REPORTS_SHOWN]
    context = frame(repository, "benchmarks") | {
        "form": form,
        "reports": [_shown(row, actor) for row in rows],
    }
    status = 422 if form.errors else 200
    return render(request, "training/report.html", context, status=status)


def _reported(form: ReportForm, repository: Repository, actor: Actor) -> Evaluation | None:
    """The report that was kept, or None with the refusal shown at its field."""
    values = form.cleaned_data
    try:
        return report_evaluation(
            repository,
            actor,
            benchmark=values["benchmark"],
            results=values["results"].read(),
            samples=values["samples"] or None,
            revision=values["revision"],
            task=values["task"],
        )
    except HubError as error:
        sentence = str(error)
        place = next((field for words, field in PLACES.items() if words in sentence), None)
        form.add_error(place, sentence)
    return None


def _said(row: Evaluation) -> str:
    told = {"benchmark": row.benchmark.label, "n": row.item_count}
    if row.items_sha256:
        return _("Reported: %(benchmark)s with all %(n)d items paired.") % told
    return _("Reported: %(benchmark)s, without item results.") % told


def _shown(row: Evaluation, actor: Actor) -> dict[str, object]:
    metric = row.benchmark.metric_named("")
    within = row.repository_id
    may_read = row.benchmark_id in readable_benchmarks(actor, [row.benchmark], within=within)
    score = told_score(row, metric["name"], may_read=may_read)
    return {
        "row": row,
        "score": figure(score.get("value"), metric),
        "interval": between(score.get("lower"), score.get("upper"), metric),
        "metric": metric["label"],
        "unit": unit_word(metric),
        "harness": row.settings.get("harness", ""),
        "dtype": row.settings.get("dtype", ""),
        "asked": row.source.get("asked", "unknown"),
    }


@require_POST
@repository_page()
def report_remove(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    remove_report(repository, actor_of(request), number)
    messages.info(request, _("The report is taken back."))
    return redirect(f"{repository.get_absolute_url()}/evaluations/report")

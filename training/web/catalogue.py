"""The catalogue of benchmarks: what the hub ships, and task files that people bring along."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from hub.actions.repositories import namespaces_to_create_in
from hub.errors import ConflictError, HubError
from hub.http.authentication import actor_of
from hub.policies import Actor, require_person
from training.actions.catalogue import (
    CommittedTask,
    catalogue,
    commit_benchmark,
    held_in,
    import_shipped,
    read_task,
)
from training.specs.notes import Note
from training.specs.task_import import TaskImport

LANGUAGES = ("en", "zh")
FILE_LIMIT_BYTES = 64 * 1024
MAX_FILES = 20


@require_safe
def shelf(request: HttpRequest) -> HttpResponse:
    """Shipped benchmarks by data set; `?language=` keeps those of one, `?into=` says where to."""
    actor = actor_of(request)
    language = request.GET.get("language", "")
    namespaces = [found.slug for found in namespaces_to_create_in(actor)]
    into = request.GET.get("into", "")
    into = into if into in namespaces else next(iter(namespaces), "")
    datasets = catalogue()
    held = held_in(into, datasets) if into else {}
    context = {
        "shelf": [
            {"dataset": each, "held": held.get(each.name), "benchmarks": found, "suites": suites}
            for each in datasets
            for found, suites in [_of_language(each, language)]
            if found or suites
        ],
        "language": language if language in LANGUAGES else "",
        "namespaces": namespaces,
        "into": into,
    }
    return render(request, "training/catalogue.html", context)


def _of_language(dataset: Any, language: str) -> tuple[list[Any], list[Any]]:
    """The benchmarks and suites of a data set in one language, all of them for none."""

    def wanted(said: str | None) -> bool:
        return language not in LANGUAGES or said in (None, language)

    return (
        [each for each in dataset.benchmarks if wanted(each.definition.labels.language)],
        [each for each in dataset.suites if wanted(each.suite.language)],
    )


@require_POST
def import_dataset(request: HttpRequest) -> HttpResponse:
    """Create the data set in one's namespace and go there; one that is there is shown."""
    name, namespace = request.POST.get("name", ""), request.POST.get("namespace", "")
    try:
        made = import_shipped(actor_of(request), name, namespace=namespace)
    except ConflictError as error:
        messages.warning(request, str(error))
        return redirect("training:catalogue")
    messages.success(request, _("Its benchmarks can be named in gates and run now."))
    return redirect(made.get_absolute_url())


class ManyFilesInput(forms.FileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Any number of small files, as a list."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        if len(data or ()) > MAX_FILES:
            raise forms.ValidationError(_("At most 20 files."))
        return [super(ManyFilesField, self).clean(each, initial) for each in data or ()]


class TaskForm(forms.Form):
    """A task file, pasted or uploaded, and where its rows are."""

    content = forms.CharField(
        label=gettext_lazy("Task file"),
        required=False,
        max_length=FILE_LIMIT_BYTES,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "class": "mono", "spellcheck": "false"}),
        help_text=gettext_lazy("The YAML of one task of lm-evaluation-harness."),
    )
    upload = forms.FileField(label=gettext_lazy("or as a file"), required=False)
    includes = ManyFilesField(
        label=gettext_lazy("Files it includes"),
        required=False,
        help_text=gettext_lazy("Those that its “include” names, if it does."),
    )
    dataset = forms.CharField(
        label=gettext_lazy("Data set with its rows"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": "namespace/name"}),
        help_text=gettext_lazy("On this hub. Left empty, the rows lie beside the benchmark."),
    )
    data_file = forms.CharField(
        label=gettext_lazy("File with the rows"),
        required=False,
        max_length=1024,
        widget=forms.TextInput(attrs={"placeholder": "test.jsonl"}),
    )


class BenchmarkForm(forms.Form):
    """The benchmark that a task file became, and the data set that it goes to."""

    text = forms.CharField(
        label=gettext_lazy("Benchmark file"),
        max_length=FILE_LIMIT_BYTES,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "class": "mono", "spellcheck": "false"}),
    )
    repository = forms.CharField(
        label=gettext_lazy("Data set to put it in"),
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": "namespace/name"}),
    )
    path = forms.CharField(label=gettext_lazy("As the file"), required=False, max_length=1024)


def task(request: HttpRequest) -> HttpResponse:
    """Look at a task file, then commit what it became; `do` says which."""
    actor = actor_of(request)
    require_person(actor)
    if request.method == "POST" and request.POST.get("do") == "commit":
        return _commit(request, actor)
    form = TaskForm(request.POST or None, request.FILES or None)
    found = _look(actor, form) if request.method == "POST" and form.is_valid() else None
    status = 422 if form.errors or (found and found.refusals) else 200
    return _task_page(request, form, found, _proposed(found), status=status)


def _task_page(
    request: HttpRequest,
    form: TaskForm,
    found: TaskImport | None,
    benchmark_form: BenchmarkForm | None,
    *,
    status: int,
) -> HttpResponse:
    context = {
        "form": form,
        "found": found,
        "benchmark_form": benchmark_form,
        "notes": [_said(note) for note in found.notes] if found else [],
        "refusals": [_said(note) for note in found.refusals] if found else [],
        "crumbs": [(_("Benchmarks"), reverse("training:catalogue"))],
    }
    return render(request, "training/catalogue_task.html", context, status=status)


def _said(note: Note) -> str:
    return _(note.template) % note.values


def _look(actor: Actor, form: TaskForm) -> TaskImport | None:
    """What became of the task file; None when the form says why it cannot be read."""
    data = form.cleaned_data
    try:
        return read_task(
            actor,
            _bytes(data["upload"]) if data["upload"] else data["content"],
            files={upload.name or "": _bytes(upload) for upload in data["includes"]},
            dataset=data["dataset"].strip(),
            data_file=data["data_file"].strip(),
        )
    except HubError as error:
        form.add_error(None, str(error))
        return None


def _bytes(upload: UploadedFile) -> bytes:
    """At most one byte more than is read: what is longer is refused as too long."""
    content: bytes = upload.read(FILE_LIMIT_BYTES + 1)
    return content


def _proposed(found: TaskImport | None) -> BenchmarkForm | None:
    if found is None or found.definition is None:
        return None
    here = found.definition.repo_id or ""
    values = {"text": found.text, "repository": here, "path": f"{found.definition.task}.yaml"}
    return BenchmarkForm(initial=values)


def _commit(request: HttpRequest, actor: Actor) -> HttpResponse:
    form = BenchmarkForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            made = commit_benchmark(
                actor,
                data["text"].replace("\r\n", "\n"),
                repository=data["repository"].strip(),
                path=data["path"].strip(),
            )
        except HubError as error:
            form.add_error(None, str(error))
        else:
            _tell(request, made)
            url, branch = made.repository.get_absolute_url(), made.repository.default_branch
            return redirect(f"{url}/blob/{quote(branch, safe='')}/{quote(made.path)}")
    return _task_page(request, TaskForm(), None, form, status=422)


def _tell(request: HttpRequest, made: CommittedTask) -> None:
    if made.has_rows:
        messages.success(request, _("The benchmark stands: gates can name it."))
        return
    told = _("The benchmark stands. Upload its rows as %(file)s to run it.")
    messages.warning(request, told % {"file": made.definition.file})

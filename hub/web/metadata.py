"""The metadata of a card as a form: only the keys that are changed are written anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from hub.actions import editing
from hub.actions.commits import CARD
from hub.actions.editing import ChangedMeanwhileError
from hub.errors import EntryNotFoundError, HubError, UnauthenticatedError
from hub.formats import card_choices
from hub.formats.card import parse_card
from hub.formats.card_writing import with_card_data
from hub.formats.licences import LICENCES
from hub.gitstore.diffing import diff_texts
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Kind, Repository
from hub.web.card_values import FAULTS, languages_offered, tasks_offered
from hub.web.changing import CommitForm, Ground, done, ground_of, seen_oid
from hub.web.field_words import size_name

_TEXTS = {
    "pretty_name": gettext_lazy("Name to show"),
    "pipeline_tag": gettext_lazy("Task"),
    "library_name": gettext_lazy("Library"),
    "license": gettext_lazy("Licence"),
    "license_name": gettext_lazy("Name of the licence, where it is “other”"),
    "license_link": gettext_lazy("Link to the licence, where it is “other”"),
    "base_model_relation": gettext_lazy("What it is of its base model"),
}
_LISTS = {
    "language": gettext_lazy("Languages"),
    "base_model": gettext_lazy("Base models"),
    "datasets": gettext_lazy("Data sets it was trained on"),
    "metrics": gettext_lazy("Metrics"),
    "task_categories": gettext_lazy("Tasks"),
    "size_categories": gettext_lazy("Number of rows"),
    "tags": gettext_lazy("Tags"),
}
_LABELS = _TEXTS | _LISTS
_KEYS = {
    Kind.MODEL: (
        "license", "license_name", "license_link", "language", "pipeline_tag", "library_name",
        "base_model", "base_model_relation", "datasets", "metrics", "tags",
    ),
    Kind.DATASET: (
        "pretty_name", "license", "license_name", "license_link", "language", "task_categories",
        "size_categories", "tags",
    ),
}  # fmt: skip
_OTHER_KEYS = ("license", "tags")
# What fields suggest: values with their names in the reader's language.
_OFFERED: dict[str, Callable[[], Iterable[tuple[str, str]]]] = {
    "license": lambda: [(each, each) for each in sorted(LICENCES)],
    "language": languages_offered,
    "pipeline_tag": tasks_offered,
    "task_categories": tasks_offered,
    "library_name": lambda: [(each, each) for each in card_choices.LIBRARIES],
    "base_model_relation": lambda: [
        (each, each) for each in ("finetune", "adapter", "quantized", "merge")
    ],
    "size_categories": lambda: [(each, size_name(each)) for each in card_choices.SIZES],
}
FIELD_LENGTH = 4000
FAULTS_TOLD = 5


class MetadataForm(forms.Form):
    """One field a key; lists are separated by commas."""

    def __init__(self, kind: str, card: dict[str, Any], data: Any = None) -> None:
        super().__init__(data, prefix="card")
        self.card, self.keys = card, _KEYS.get(Kind(kind), _OTHER_KEYS)
        for key in self.keys:
            shown = _as_text(card.get(key))
            field = forms.CharField(
                label=_LABELS[key], required=False, max_length=FIELD_LENGTH, initial=shown or ""
            )
            field.widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
            if key in _OFFERED:
                field.widget.attrs["list"] = f"offered-{key}"
            if key in _LISTS:
                field.widget.attrs["data-several"] = ""
                field.help_text = _("Several are separated by commas.")
            if shown is None:
                field.disabled = True
                field.help_text = _("It is no plain list: change it in the text of the card.")
            elif warnings := _faults(key, _parts(key, shown)):
                told = _("The card says so already, and it may stay.")
                field.help_text = " ".join([str(field.help_text), *warnings, told]).strip()
            self.fields[key] = field

    def offered(self) -> dict[str, Iterable[tuple[str, str]]]:
        """What the fields suggest."""
        return {key: values() for key, values in _OFFERED.items() if key in self.keys}

    def clean(self) -> dict[str, Any]:
        """New values that nobody knows are refused; what the card has already may stay."""
        cleaned: dict[str, Any] = super().clean() or {}
        for key in self.keys:
            had = _parts(key, self.fields[key].initial)
            new = [part for part in _parts(key, cleaned.get(key, "")) if part not in had]
            for fault in [] if self.fields[key].disabled else _faults(key, new):
                self.add_error(key, fault)
        return cleaned

    def changed(self) -> tuple[dict[str, Any], list[str]]:
        """The keys that differ from the card, with their new values, and those to go."""
        values: dict[str, Any] = {}
        gone: list[str] = []
        for key in self.keys:
            field = self.fields[key]
            new, old = _parts(key, self.cleaned_data[key]), _parts(key, field.initial)
            if field.disabled or new == old:
                continue
            if not new:
                gone.append(key)
            elif key in _LISTS and (len(new) > 1 or not isinstance(self.card.get(key), str)):
                values[key] = new
            else:
                values[key] = new[0]
        return values, gone


def _faults(key: str, parts: list[str]) -> list[str]:
    """What is wrong with values of a key, for the first few of them."""
    look = FAULTS.get(key)
    return [fault for part in parts if look and (fault := look(part))][:FAULTS_TOLD]


def _parts(key: str, text: str) -> list[str]:
    parts = text.replace("\n", ",").split(",") if key in _LISTS else [text]
    return [part.strip() for part in parts if part.strip()]


def _as_text(value: Any) -> str | None:
    """A value as a field shows it; None for one that a field cannot show without loss."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    plain = isinstance(value, list) and all(isinstance(v, str) and "," not in v for v in value)
    return ", ".join(value) if plain else None


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def metadata(request: HttpRequest, repository: Repository, revision: str) -> HttpResponse:
    """Licence, languages, task and the rest of a card's front matter."""
    ground = ground_of(request, repository, revision)
    commit_form = CommitForm(ground, request.POST or None, title=_("Update the metadata"))
    readme = _readme(ground, seen_oid(commit_form))
    card = parse_card(readme or b"", repository.kind)
    form = MetadataForm(repository.kind, card.data, request.POST or None)
    act = request.POST.get("do", "") if request.method == "POST" else ""
    context: dict[str, Any] = {"look": act}
    if act and not card.broken and form.is_valid():
        values, gone = form.changed()
        content = with_card_data(readme or b"", values, without=gone)
        if act == "save" and commit_form.is_valid():
            answer = _save(request, ground, commit_form, readme, content)
            if isinstance(answer, HttpResponse):
                return answer
            readme = answer if answer is not None else readme
            content = with_card_data(readme or b"", values, without=gone)
        context["diff"] = diff_texts(CARD, readme, content)
    context |= frame(repository, "files") | ground.context(CARD)
    context |= {
        "form": commit_form,
        "card_form": form,
        "broken": card.broken,
        "edit_url": ground.url("edit", CARD),
        "offered": form.offered(),
    }
    if act == "changes" and request.htmx and "diff" in context:  # type: ignore[attr-defined]
        return render(request, "hub/edit_look.html", context)
    status = 422 if act == "save" else 200
    return render(request, "hub/metadata.html", context, status=status)


def _save(
    request: HttpRequest, ground: Ground, form: CommitForm, readme: bytes | None, content: bytes
) -> HttpResponse | bytes | None:
    """The answer to a commit; else the card as it is now, with the reason in the form."""
    try:
        made = editing.save_text(
            ground.repository,
            actor_of(request),
            form.aim(),
            path=CARD,
            content=content,
            old_path=None if readme is None else CARD,
        )
        return done(request, ground, made, ground.repository.get_absolute_url())
    except UnauthenticatedError:
        raise
    except ChangedMeanwhileError as error:
        form.add_error(
            None, _("%(what)s Look at the changes, then commit again.") % {"what": error}
        )
        form.look_at(error.head)
        return _readme(ground, error.head)
    except HubError as error:
        form.add_error(None, str(error))
    return None


def _readme(ground: Ground, oid: str) -> bytes | None:
    try:
        store = ground.repository.store()
        return store.read(oid, CARD, limit_bytes=settings.CARD_LIMIT_BYTES)
    except EntryNotFoundError:
        return None

"""Making a new repository in the browser."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.actions import duplicating, repositories
from hub.actions.commits import CARD
from hub.errors import HubError
from hub.formats import card_choices
from hub.formats.card_choices import LICENCES_OFFERED
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Access, Kind, NamespaceKind, RepoId, Repository, Visibility
from hub.policies import Actor, require_files, require_person
from hub.web.card_template import LICENCE_WORDS, new_card

# Spaces and kernels come from clients: a page that offered them would promise to run them.
KINDS = [(kind.value, kind.label) for kind in (Kind.MODEL, Kind.DATASET)]

# Chosen first: it follows whichever owner is chosen, with a script or without.
SETTLED = "default"


def _settled(private_owners: str, is_one: bool) -> str:
    """What those have settled for new repositories who are offered as owners."""
    if not private_owners:
        return gettext("New repositories here are for everyone, whoever owns them.")
    if is_one:
        return gettext("New repositories here are private, whoever owns them.")
    said = gettext("New repositories of %(owners)s are private, others for everyone.")
    return said % {"owners": private_owners}


class RepositoryForm(forms.Form):
    kind = forms.ChoiceField(label=_("What is it?"), choices=KINDS)
    owner = forms.ChoiceField(label=_("Owner"))
    name = forms.CharField(
        label=_("Name"),
        max_length=96,
        help_text=_("Letters, digits, “-”, “_” and “.”; people and programs will type it."),
    )
    visibility = forms.ChoiceField(
        label=_("Who may read it"),
        choices=[
            (SETTLED, _("As its owner has settled")),
            (Visibility.PUBLIC, _("Everyone")),
            (Visibility.PRIVATE, _("You or the members of its organisation, and collaborators")),
        ],
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = repositories.namespaces_to_create_in(actor)
        self.fields["owner"].choices = [(each.slug, each.slug) for each in found]  # type: ignore[attr-defined]
        self.private_owners = ", ".join(each.slug for each in found if each.private_by_default)
        is_one = len({each.private_by_default for each in found}) == 1
        visibility = self.fields["visibility"]
        visibility.help_text = _settled(self.private_owners, is_one)
        if not any(each.kind == NamespaceKind.ORGANIZATION for each in found):
            alone = (Visibility.PRIVATE, _("You and collaborators"))
            visibility.choices = [*visibility.choices[:-1], alone]  # type: ignore[attr-defined]

    def chosen_visibility(self) -> str | None:
        chosen = str(self.cleaned_data["visibility"])
        return None if chosen == SETTLED else chosen


class CopyForm(RepositoryForm):
    """Where a copy goes; its kind is that of the source."""

    kind = None  # type: ignore[assignment]

    def __init__(self, source: Repository, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        visibility = self.fields["visibility"]
        first = (SETTLED, _("As here, or fewer people"))
        visibility.choices = [first, *visibility.choices[1:]]  # type: ignore[attr-defined]
        if source.is_private:
            visibility.help_text = gettext("This one is private.")
        elif self.private_owners:
            said = gettext("Fewer: it is private, as %(owners)s has settled for new repositories.")
            visibility.help_text = said % {"owners": self.private_owners}
        else:
            visibility.help_text = ""


@repository_page()
def duplicate(request: HttpRequest, repository: Repository) -> HttpResponse:
    """A copy of a repository in a namespace of one's own."""
    actor = actor_of(request)
    require_person(actor)
    require_files(actor, repository)
    form = CopyForm(repository, actor, request.POST or None, initial={"name": repository.name})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        to = RepoId(Kind(repository.kind), data["owner"], data["name"])
        try:
            made = duplicating.duplicate_repository(
                repository, actor, to, visibility=form.chosen_visibility()
            )
            return redirect(made.get_absolute_url())
        except HubError as error:
            form.add_error("name", str(error))
    status = 422 if form.errors else 200
    context = frame(repository, "card") | {"form": form}
    return render(request, "hub/repository_duplicate.html", context, status=status)


class WizardForm(RepositoryForm):
    """A new repository and what its card begins with."""

    license = forms.ChoiceField(
        label=_("Licence"),
        required=False,
        choices=[("", _("Decide later")), *((one, one) for one in LICENCES_OFFERED)],
    )
    task = forms.CharField(
        label=_("Task"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"list": "offered-task", "autocomplete": "off"}),
        help_text=_("What it is for, in the word that others search by."),
    )
    language = forms.CharField(
        label=_("Languages"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"list": "offered-language", "autocomplete": "off"}),
        help_text=_("Codes such as en or zh, separated by commas."),
    )
    library = forms.CharField(
        label=_("Library"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"list": "offered-library", "autocomplete": "off"}),
        help_text=_("What loads it. Models only."),
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(actor, *args, **kwargs)
        asked = {
            "hx-get": "/-/new",
            "hx-trigger": "input changed delay:300ms, change from:#id_owner",
        }
        about = {"hx-include": "#id_kind, #id_owner", "hx-target": "#name-state"}
        self.fields["name"].widget.attrs |= asked | about | {"autocomplete": "off"}

    def clean_task(self) -> str:
        task = str(self.cleaned_data["task"]).strip()
        if task and task not in card_choices.TASKS:
            said = _("%(task)s is no task that others search by: choose one of the list.")
            raise forms.ValidationError(said % {"task": f"“{task}”"})
        return task

    def clean_language(self) -> str:
        named = [part.strip() for part in str(self.cleaned_data["language"]).split(",")]
        wrong = [f"“{part}”" for part in named if part and not card_choices.is_language(part)]
        if wrong:
            said = _("%(languages)s: no code of a language, such as en, zh or pt-BR.")
            raise forms.ValidationError(said % {"languages": ", ".join(wrong)})
        return ", ".join(filter(None, named))


def repository_new(request: HttpRequest) -> HttpResponse:
    """A repository with the card that was asked for; the next page shows how to fill it."""
    actor = actor_of(request)
    require_person(actor)
    initial = {"kind": request.GET.get("kind", Kind.MODEL), "owner": request.GET.get("owner", "")}
    form = WizardForm(actor, request.POST or None, initial=initial)
    if request.htmx and "name" in request.GET:  # type: ignore[attr-defined]
        return _name_state(request, actor, form)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        repo = RepoId(Kind(data["kind"]), data["owner"], data["name"])
        try:
            files = {CARD: new_card(repo, data)}
            made = repositories.create_repository(
                actor, repo, visibility=form.chosen_visibility(), files=files
            )
            return redirect(f"{made.get_absolute_url()}/start")
        except HubError as error:
            form.add_error("name", str(error))
    context = {
        "form": form,
        "licences": LICENCE_WORDS.items(),
        "tasks": card_choices.TASKS,
        "languages": card_choices.LANGUAGES.items(),
        "libraries": card_choices.LIBRARIES,
    }
    status = 422 if form.errors else 200
    return render(request, "hub/repository_new.html", context, status=status)


def _name_state(request: HttpRequest, actor: Actor, form: WizardForm) -> HttpResponse:
    """Whether the name that is being typed is free, where its writer may create."""
    owner, name = request.GET.get("owner", ""), request.GET["name"].strip()
    offered = dict(form.fields["owner"].choices)  # type: ignore[attr-defined]
    problem = ""
    if name and owner in offered and request.GET.get("kind") in dict(KINDS):
        repo = RepoId(Kind(request.GET["kind"]), owner, name)
        try:
            repositories.require_free_name(repo)
        except HubError as error:
            problem = str(error)
    context = {"name": name, "owner": owner, "problem": problem}
    return render(request, "hub/name_state.html", context)


@repository_page(need=Access.WRITE)
def start(request: HttpRequest, repository: Repository) -> HttpResponse:
    """How to fill a repository: by the browser, by hf, by git."""
    revision = quote(repository.default_branch, safe="")
    kind = "" if repository.kind == Kind.MODEL else f"--repo-type {repository.kind} "
    endpoint = f"export HF_ENDPOINT={settings.PUBLIC_URL}"
    upload = f"hf upload {kind}{repository.repo_id} ./folder ."
    clone = f"git lfs install\ngit clone {repository.public_url()}\ncd {repository.name}"
    push = f"{clone}\ngit add .\ngit commit -m 'First files'\ngit push"
    context = frame(repository, "files") | {
        "upload_url": f"/{repository.path}/upload/{revision}",
        "card_url": f"/{repository.path}/edit/{revision}/{CARD}",
        "snippets": [
            {"key": "hf", "label": "hf", "text": f"{endpoint}\nhf auth login\n{upload}"},
            {"key": "git", "label": "git", "text": push},
        ],
    }
    return render(request, "hub/start.html", context)

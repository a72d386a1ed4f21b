"""Making a new repository in the browser."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from hub.actions import duplicating, repositories
from hub.errors import HubError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Kind, RepoId, Repository, Visibility
from hub.policies import Actor, require_files, require_person

# Spaces and kernels come from clients: a page that offered them would promise to run them.
KINDS = [(kind.value, kind.label) for kind in (Kind.MODEL, Kind.DATASET)]


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
            (Visibility.PUBLIC, _("Everyone")),
            (Visibility.PRIVATE, _("Members only")),
        ],
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = [found.slug for found in repositories.namespaces_to_create_in(actor)]
        self.fields["owner"].choices = [(slug, slug) for slug in slugs]  # type: ignore[attr-defined]


class CopyForm(RepositoryForm):
    """Where a copy goes; its kind is that of the source."""

    kind = None  # type: ignore[assignment]


@repository_page()
def duplicate(request: HttpRequest, repository: Repository) -> HttpResponse:
    """A copy of a repository in a namespace of one's own."""
    actor = actor_of(request)
    require_person(actor)
    require_files(actor, repository)
    initial = {"name": repository.name, "visibility": repository.visibility}
    form = CopyForm(actor, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        to = RepoId(Kind(repository.kind), data["owner"], data["name"])
        try:
            made = duplicating.duplicate_repository(
                repository, actor, to, visibility=data["visibility"]
            )
            return redirect(made.get_absolute_url())
        except HubError as error:
            form.add_error("name", str(error))
    status = 422 if form.errors else 200
    context = frame(repository, "card") | {"form": form}
    return render(request, "hub/repository_duplicate.html", context, status=status)


def repository_new(request: HttpRequest) -> HttpResponse:
    """An empty repository; its page then shows how to fill it."""
    actor = actor_of(request)
    require_person(actor)
    initial = {"kind": request.GET.get("kind", Kind.MODEL), "owner": request.GET.get("owner", "")}
    form = RepositoryForm(actor, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        repo = RepoId(Kind(data["kind"]), data["owner"], data["name"])
        try:
            made = repositories.create_repository(actor, repo, visibility=data["visibility"])
            return redirect(made.get_absolute_url())
        except HubError as error:
            form.add_error("name", str(error))
    status = 422 if form.errors else 200
    return render(request, "hub/repository_new.html", {"form": form}, status=status)

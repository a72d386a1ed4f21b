"""Settings of a repository: a page a subject; every form goes to the first and says its name."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions import (
    collaborators,
    invitations,
    lfs_files,
    moving,
    protections,
    repositories,
    storage,
    transfers,
)
from hub.errors import BadInputError, HubError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import (
    Access,
    AuditEntry,
    Kind,
    Membership,
    NamespaceKind,
    RepoId,
    Repository,
    RepositoryTransfer,
    Visibility,
)
from hub.policies import Actor
from hub.web.organizations import ROLES, InviteForm, key_of, role_of

PAGE_SIZE = 50


class ProtectionForm(forms.Form):
    branch = forms.CharField(
        label=gettext_lazy("Branch"),
        max_length=200,
        help_text=gettext_lazy("A name, or a pattern: release/* is every branch below release."),
    )
    required_approvals = forms.IntegerField(
        label=gettext_lazy("Approvals needed"), min_value=0, max_value=10, initial=1
    )
    require_gate = forms.BooleanField(
        label=gettext_lazy("The gate must pass"), required=False, initial=True
    )


class VisibilityForm(forms.Form):
    visibility = forms.ChoiceField(label=gettext_lazy("Who may read it"))

    def __init__(self, repository: Repository, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = repository.namespace
        if owner.kind == NamespaceKind.ORGANIZATION:
            few = _("Members of %(owner)s and collaborators") % {"owner": owner.slug}
        else:
            few = _("%(owner)s and collaborators") % {"owner": owner.slug}
        choices = [(Visibility.PUBLIC, _("Everyone")), (Visibility.PRIVATE, few)]
        self.fields["visibility"].choices = choices  # type: ignore[attr-defined]


class RenameForm(forms.Form):
    owner = forms.ChoiceField(label=gettext_lazy("Owner"))
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=96,
        help_text=gettext_lazy("The old address keeps leading here, for pages, clients and git."),
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = [found.slug for found in repositories.namespaces_to_create_in(actor)]
        self.fields["owner"].choices = [(slug, slug) for slug in slugs]  # type: ignore[attr-defined]


class GateForm(forms.Form):
    gated = forms.ChoiceField(
        label=gettext_lazy("Who may read the files"),
        required=False,
        choices=[
            ("", gettext_lazy("Everyone who may see the repository")),
            ("auto", gettext_lazy("Everyone who asks")),
            ("manual", gettext_lazy("Those whom a maintainer lets in")),
        ],
        help_text=gettext_lazy("The card, the list of files and the history stay readable."),
    )


class OfferForm(forms.Form):
    target = forms.CharField(
        label=gettext_lazy("Person or organisation"),
        max_length=96,
        help_text=gettext_lazy("They find the offer in their settings and accept or decline it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@repository_page(need=Access.ADMIN)
def repository_settings(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The first page, and where every form goes; a refusal comes back as a message."""
    if request.method == "POST":
        return _act(request, repository)
    context = {
        "visibility_form": VisibilityForm(
            repository, initial={"visibility": repository.visibility}
        ),
        "rename_form": RenameForm(
            actor_of(request),
            initial={"owner": repository.namespace.slug, "name": repository.name},
            auto_id="rename_%s",
        ),
        "gate_form": GateForm(initial={"gated": repository.gated}),
    }
    return _page(request, repository, "hub/repository_settings.html", context)


def _page(
    request: HttpRequest, repository: Repository, template: str, context: dict[str, Any]
) -> HttpResponse:
    return render(request, template, frame(repository, "settings") | context)


def _act(request: HttpRequest, repository: Repository) -> HttpResponse:
    form = request.POST.get("form", "")
    act, section = _ACTS.get(form, (_unknown, ""))
    try:
        messages.success(request, act(request, repository))
    except HubError as error:
        messages.error(request, str(error))
    else:
        if form == "delete":
            return redirect(repository.namespace.get_absolute_url())
        repository = Repository.objects.select_related("namespace").get(pk=repository.pk)
    return redirect(f"{repository.get_absolute_url()}/settings{section}")


@repository_page(need=Access.ADMIN)
def collaborator_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """People who hold access here alone, and how many hold it through the namespace."""
    members = Membership.objects.filter(namespace=repository.namespace, access__gt=Access.NONE)
    context = {
        "collaborators": repository.collaborators.select_related("user").order_by(
            "-access", "user__username"
        ),
        "member_count": members.count(),
        "form": InviteForm(),
        "roles": [(access, Access(access).label) for access, _words in ROLES],
    }
    return _page(request, repository, "hub/repository_collaborators.html", context)


@repository_page(need=Access.ADMIN)
def branch_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Which branches move only by merging, and what a merge needs."""
    branches = [
        ref.name.removeprefix("refs/heads/")
        for ref in repository.store().refs()
        if ref.name.startswith("refs/heads/")
    ]
    context = {
        "protections": repository.protections.order_by("branch"),
        "protection_form": ProtectionForm(initial={"branch": repository.default_branch}),
        "branches": branches[:100],
    }
    return _page(request, repository, "hub/repository_branches.html", context)


@repository_page(need=Access.ADMIN)
def storage_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """What takes how much, by file and by version."""
    context = {"storage": storage.storage_of(repository)}
    return _page(request, repository, "hub/repository_storage.html", context)


@repository_page(need=Access.ADMIN)
def audit_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Who did what here; nobody can change it afterwards."""
    rows = AuditEntry.objects.filter(repository_number=repository.pk).order_by("-pk")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return _page(request, repository, "hub/repository_audit.html", {"page": page})


@repository_page(need=Access.ADMIN)
def danger_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Giving a repository away, and deleting it with what goes."""
    offers = RepositoryTransfer.objects.filter(repository=repository)
    context = {
        "offer": offers.select_related("target", "offered_by").first(),
        "offer_form": OfferForm(),
        "losses": storage.losses_of(repository, actor_of(request)),
    }
    return _page(request, repository, "hub/repository_danger.html", context)


def _clean(form: forms.Form) -> dict[str, Any]:
    if not form.is_valid():
        raise BadInputError(" ".join(str(e) for errors in form.errors.values() for e in errors))
    return form.cleaned_data


def _protect(request: HttpRequest, repository: Repository) -> str:
    form = _clean(ProtectionForm(request.POST))
    protections.protect_branch(repository, actor_of(request), **form)
    return _("%(branch)s is protected: it moves only by merging.") % form


def _unprotect(request: HttpRequest, repository: Repository) -> str:
    branch = request.POST.get("branch", "")
    protections.unprotect_branch(repository, actor_of(request), branch)
    return _("%(branch)s is no longer protected.") % {"branch": branch}


def _visibility(request: HttpRequest, repository: Repository) -> str:
    form = _clean(VisibilityForm(repository, request.POST))
    repositories.update_settings(repository, actor_of(request), **form)
    return _("Who may read this repository has changed.")


def _rename(request: HttpRequest, repository: Repository) -> str:
    actor = actor_of(request)
    form = _clean(RenameForm(actor, request.POST))
    to = RepoId(Kind(repository.kind), form["owner"], form["name"])
    moved = moving.move_repository(repository, actor, to)
    return _("It is called %(repo_id)s now.") % {"repo_id": moved.repo_id}


def _gate(request: HttpRequest, repository: Repository) -> str:
    form = _clean(GateForm(request.POST))
    repositories.update_settings(repository, actor_of(request), gated=form["gated"] or False)
    return _("Who may read the files has changed.")


def _delete(request: HttpRequest, repository: Repository) -> str:
    if request.POST.get("confirm", "") != repository.repo_id:
        raise BadInputError(_("Type the name of the repository exactly to delete it."))
    repositories.delete_repository(repository, actor_of(request))
    return _("%(repo_id)s is deleted.") % {"repo_id": repository.repo_id}


def _unknown(request: HttpRequest, repository: Repository) -> str:
    raise BadInputError(_("This form is not known here: reload the page and retry."))


def _collaborate(request: HttpRequest, repository: Repository) -> str:
    data = role_of(request, InviteForm)
    person = invitations.person_named(data["user"])
    collaborators.set_collaborator(repository, person, data["access"], by=actor_of(request))
    words = {"name": person.username, "role": Access(data["access"]).label}
    return _("%(name)s has the role “%(role)s” now.") % words


def _uncollaborate(request: HttpRequest, repository: Repository) -> str:
    key = key_of(request, "collaborator")
    row = repository.collaborators.filter(pk=key).select_related("user").first()
    if row is None:
        raise BadInputError(_("This person is no collaborator any more."))
    collaborators.remove_collaborator(repository, row.user, by=actor_of(request))
    return _("%(name)s is no collaborator any more.") % {"name": row.user.username}


def _remove_files(request: HttpRequest, repository: Repository) -> str:
    chosen = request.POST.getlist("sha256")[: storage.LARGEST]
    if not chosen:
        raise BadInputError(_("Choose the files to delete."))
    if request.POST.get("confirm", "") != repository.repo_id:
        raise BadInputError(_("Type the name of the repository exactly to delete its files."))
    rewrites = request.POST.get("rewrite_history") == "on"
    lfs_files.remove_for_good(repository, actor_of(request), chosen, rewrite_history=rewrites)
    return _("The files are deleted for good.")


def _offer(request: HttpRequest, repository: Repository) -> str:
    form = _clean(OfferForm(request.POST))
    offer = transfers.offer_repository(repository, actor_of(request), form["target"])
    return _("It is offered to %(name)s.") % {"name": offer.target.slug}


def _withdraw(request: HttpRequest, repository: Repository) -> str:
    transfers.withdraw_offer(repository, actor_of(request))
    return _("The offer is withdrawn.")


# What each form does, and the page that it stands on.
_ACTS = {
    "visibility": (_visibility, ""),
    "rename": (_rename, ""),
    "gate": (_gate, ""),
    "protect": (_protect, "/branches"),
    "unprotect": (_unprotect, "/branches"),
    "collaborate": (_collaborate, "/collaborators"),
    "uncollaborate": (_uncollaborate, "/collaborators"),
    "remove_files": (_remove_files, "/storage"),
    "offer": (_offer, "/danger"),
    "withdraw": (_withdraw, "/danger"),
    "delete": (_delete, "/danger"),
}

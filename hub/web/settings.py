"""Settings pages: of a person (tokens) and of a repository (visibility, protection, deletion)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from hub.actions import moving, protections, repositories, tokens
from hub.errors import BadInputError, HubError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import (
    Access,
    AccessToken,
    BranchProtection,
    Kind,
    RepoId,
    Repository,
    TokenScope,
    Visibility,
)
from hub.policies import Actor, require_person


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("What is it for?"),
        max_length=96,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("laptop")}),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("It may"), choices=TokenScope.choices, initial=TokenScope.WRITE
    )


class ProtectionForm(forms.Form):
    branch = forms.CharField(label=gettext_lazy("Branch"), max_length=200)
    required_approvals = forms.IntegerField(
        label=gettext_lazy("Approvals needed"), min_value=0, max_value=10, initial=1
    )
    require_gate = forms.BooleanField(
        label=gettext_lazy("The gate must pass"), required=False, initial=True
    )


class VisibilityForm(forms.Form):
    visibility = forms.ChoiceField(
        label=gettext_lazy("Who may read it"),
        choices=[
            (Visibility.PUBLIC, gettext_lazy("Everyone")),
            (Visibility.PRIVATE, gettext_lazy("Members only")),
        ],
    )


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


def token_list(request: HttpRequest) -> HttpResponse:
    """A person's tokens; a new one is shown this once only."""
    actor = actor_of(request)
    user = require_person(actor)
    form, secret = TokenForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        _token, secret = tokens.issue_token(user, **form.cleaned_data, by=actor)
        form = TokenForm()
    rows = AccessToken.objects.filter(user=user, revoked_at__isnull=True).order_by("-pk")
    # A device renews its token: only the last one is worth showing, and it is shown also once it
    # has ended, for its sign-in can go on until this one is revoked.
    later = AccessToken.objects.filter(session=OuterRef("session"), pk__gt=OuterRef("pk"))
    rows = rows.exclude(Q(session__isnull=False) & Exists(later))
    context = {"form": form, "secret": secret, "tokens": rows.select_related("session")}
    response = render(request, "hub/tokens.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    actor = actor_of(request)
    tokens.revoke_token(require_person(actor), pk, by=actor)
    messages.success(request, _("The token is revoked: what used it is signed out."))
    return redirect("hub:token-list")


@repository_page(need=Access.ADMIN)
def repository_settings(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Each form says which one it is; a refusal comes back as a message."""
    if request.method == "POST":
        try:
            done = _ACTS.get(request.POST.get("form", ""), _unknown)(request, repository)
        except HubError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, done)
            if request.POST.get("form") == "delete":
                return redirect(repository.namespace.get_absolute_url())
            if request.POST.get("form") == "rename":
                repository = Repository.objects.get(pk=repository.pk)
        return redirect(f"{repository.get_absolute_url()}/settings")
    context: dict[str, Any] = frame(repository, "settings") | {
        "protections": BranchProtection.objects.filter(repository=repository).order_by("branch"),
        "protection_form": ProtectionForm(initial={"branch": repository.default_branch}),
        "visibility_form": VisibilityForm(initial={"visibility": repository.visibility}),
        "rename_form": RenameForm(
            actor_of(request),
            initial={"owner": repository.namespace.slug, "name": repository.name},
            auto_id="rename_%s",
        ),
        "gate_form": GateForm(initial={"gated": repository.gated}),
        "object_count": repository.object_links.count(),
    }
    return render(request, "hub/repository_settings.html", context)


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
    form = _clean(VisibilityForm(request.POST))
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


_ACTS = {
    "protect": _protect,
    "unprotect": _unprotect,
    "visibility": _visibility,
    "rename": _rename,
    "gate": _gate,
    "delete": _delete,
}

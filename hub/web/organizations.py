"""Organisations in the browser: made, joined, governed, left, ended."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from hub.actions import closing, collaborators, invitations, organizations, transfers
from hub.errors import BadInputError, HubError, NotFoundError
from hub.http.authentication import actor_of
from hub.models import (
    Access,
    AuditEntry,
    Collaborator,
    Invitation,
    Membership,
    Namespace,
    NamespaceKind,
    RepositoryTransfer,
    TokenScope,
    User,
)
from hub.policies import get_namespace, get_shared_namespace, require_person

PAGE_SIZE = 50
ROLES = [
    (
        Access.READ,
        gettext_lazy("Read: sees private repositories and gated files, takes part in discussions"),
    ),
    (Access.CONTRIBUTE, gettext_lazy("Contribute: also proposes changes to private repositories")),
    (Access.WRITE, gettext_lazy("Write: also changes, approves, merges and creates")),
    (Access.ADMIN, gettext_lazy("Admin: also settings, people and deletion")),
]


class NewForm(forms.Form):
    slug = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=96,
        help_text=gettext_lazy("The first part of the address of everything it owns."),
    )
    full_name = forms.CharField(label=gettext_lazy("Full name"), max_length=150, required=False)


class ProfileForm(forms.Form):
    full_name = forms.CharField(label=gettext_lazy("Full name"), max_length=150, required=False)
    bio = forms.CharField(
        label=gettext_lazy("About"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Plain text, up to 500 characters. Everyone may read it."),
    )
    link = forms.CharField(
        label=gettext_lazy("Link"),
        max_length=200,
        required=False,
        widget=forms.URLInput(attrs={"placeholder": "https://example.org"}),
    )
    private_by_default = forms.BooleanField(
        label=gettext_lazy("New repositories are private unless somebody says otherwise"),
        required=False,
    )


class RoleForm(forms.Form):
    access = forms.TypedChoiceField(
        label=gettext_lazy("Role"), choices=ROLES, coerce=int, initial=Access.READ
    )


class InviteForm(RoleForm):
    user = forms.CharField(
        label=gettext_lazy("Name of the person"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("user", "access")


def role_of(request: HttpRequest, form_class: type[forms.Form] = RoleForm) -> dict[str, Any]:
    """What a form about somebody's role says. Raises: BadInputError."""
    form = form_class(request.POST)
    if not form.is_valid():
        raise BadInputError(_("Name a person and choose a role."))
    data: dict[str, Any] = form.cleaned_data
    return data | {"access": Access(data["access"])}


def organization_list(request: HttpRequest) -> HttpResponse:
    """One's organisations, invitations, and repositories that were offered."""
    user: User = require_person(actor_of(request))
    held = Membership.objects.filter(
        user=user, namespace__kind=NamespaceKind.ORGANIZATION, access__gt=Access.NONE
    )
    writes = Membership.objects.filter(user=user, access__gte=Access.WRITE)
    offers = RepositoryTransfer.objects.filter(target__in=writes.values("namespace"))
    context = {
        "memberships": held.select_related("namespace").order_by("namespace__slug"),
        "invitations": Invitation.objects.filter(user=user)
        .select_related("namespace", "invited_by")
        .order_by("-pk"),
        "collaborations": Collaborator.objects.filter(user=user)
        .select_related("repository__namespace")
        .order_by("-pk"),
        "offers": offers.select_related("repository__namespace", "target", "offered_by"),
    }
    return render(request, "hub/settings_organizations.html", context)


def organization_new(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    require_person(actor, scope=TokenScope.ADMIN)
    form = NewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = organizations.create_organization(**form.cleaned_data, by=actor)
        except HubError as error:
            form.add_error("slug", str(error))
        else:
            messages.success(request, _("It is made, and you are its admin. Invite others next."))
            return redirect("hub:organization-members-page", slug=made.slug)
    status = 422 if form.errors else 200
    return render(request, "hub/organization_new.html", {"form": form}, status=status)


@require_POST
def invitation_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept or decline an invitation to an organisation."""
    actor = actor_of(request)
    require_person(actor)
    if request.POST.get("answer") == "accept":
        joined = invitations.accept(actor, min(pk, 2**62))
        messages.success(request, _("You are a member of %(name)s now.") % {"name": joined.slug})
        return redirect(joined)
    left = invitations.decline(actor, min(pk, 2**62))
    messages.success(request, _("You declined the invitation of %(name)s.") % {"name": left.slug})
    return redirect("hub:organization-list")


@require_POST
def offer_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept or decline a repository that was offered."""
    actor = actor_of(request)
    require_person(actor)
    if request.POST.get("answer") == "accept":
        moved = transfers.accept_repository(actor, min(pk, 2**62))
        messages.success(request, _("It is called %(repo_id)s now.") % {"repo_id": moved.repo_id})
        return redirect(moved)
    transfers.decline_repository(actor, min(pk, 2**62))
    messages.success(request, _("You declined the repository."))
    return redirect("hub:organization-list")


@require_POST
def organization_leave(request: HttpRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    namespace = get_shared_namespace(actor, slug)
    try:
        organizations.remove_member(namespace, require_person(actor), by=actor)
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("You have left %(name)s.") % {"name": namespace.slug})
    return redirect("hub:organization-list")


@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Give up the access that one holds on a single repository."""
    actor = actor_of(request)
    user = require_person(actor)
    row = Collaborator.objects.filter(pk=min(pk, 2**62), user=user)
    found = row.select_related("repository__namespace").first()
    if found is None:
        raise NotFoundError(_("You hold no access there any more."))
    collaborators.remove_collaborator(found.repository, user, by=actor)
    messages.success(request, _("You have left %(name)s.") % {"name": found.repository.repo_id})
    return redirect("hub:organization-list")


def _governed(request: HttpRequest, slug: str) -> Namespace:
    namespace = get_namespace(actor_of(request), slug, need=Access.ADMIN)
    organizations.require_organization(namespace)
    return namespace


def organization_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """What everyone reads of it, and what holds for its new repositories."""
    namespace = _governed(request, slug)
    names = ("full_name", "bio", "link", "private_by_default")
    initial = {name: getattr(namespace, name) for name in names}
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            organizations.update_organization(namespace, **form.cleaned_data, by=actor_of(request))
        except HubError as error:
            form.add_error("link", str(error))
        else:
            messages.success(request, _("The profile is saved."))
            return redirect("hub:organization-settings", slug=namespace.slug)
    context = {"namespace": namespace, "form": form}
    status = 422 if form.errors else 200
    return render(request, "hub/organization_settings.html", context, status=status)


def organization_members(request: HttpRequest, slug: str) -> HttpResponse:
    """Members with their roles, and those who were asked."""
    namespace = _governed(request, slug)
    if request.method == "POST":
        try:
            act = _ACTS.get(request.POST.get("form", ""), _unknown)
            messages.success(request, act(request, namespace))
        except HubError as error:
            messages.error(request, str(error))
        return redirect("hub:organization-members-page", slug=namespace.slug)
    held = namespace.memberships.filter(access__gt=Access.NONE).select_related("user")
    page = Paginator(held.order_by("-access", "user__username"), PAGE_SIZE)
    context = {
        "namespace": namespace,
        "page": page.get_page(request.GET.get("page")),
        "invitations": namespace.invitations.select_related("user", "invited_by").order_by("-pk"),
        "form": InviteForm(),
        "roles": [(access, Access(access).label) for access, _words in ROLES],
    }
    return render(request, "hub/organization_members.html", context)


def _invite(request: HttpRequest, namespace: Namespace) -> str:
    data = role_of(request, InviteForm)
    person = invitations.person_named(data["user"])
    invitations.invite(namespace, person, data["access"], by=actor_of(request))
    return _("%(name)s is invited and finds it in their settings.") % {"name": person.username}


def _withdraw(request: HttpRequest, namespace: Namespace) -> str:
    invitations.withdraw(namespace, key_of(request, "invitation"), by=actor_of(request))
    return _("The invitation is withdrawn.")


def _role(request: HttpRequest, namespace: Namespace) -> str:
    person, access = _member(request, namespace), role_of(request)["access"]
    organizations.set_member(namespace, person, access, by=actor_of(request))
    words = {"name": person.username, "role": Access(access).label}
    return _("%(name)s has the role “%(role)s” now.") % words


def _remove(request: HttpRequest, namespace: Namespace) -> str:
    person = _member(request, namespace)
    organizations.remove_member(namespace, person, by=actor_of(request))
    return _("%(name)s is no member any more.") % {"name": person.username}


def key_of(request: HttpRequest, name: str) -> int:
    """A row that a form names. Raises: BadInputError."""
    value = request.POST.get(name, "")
    if not value.isdecimal() or len(value) > 18:
        raise BadInputError(_("This form is not known here: reload the page and retry."))
    return int(value)


def _member(request: HttpRequest, namespace: Namespace) -> User:
    held = namespace.memberships.filter(user=key_of(request, "member")).select_related("user")
    found = held.first()
    if found is None:
        raise BadInputError(_("This person is no member any more."))
    return found.user


def _unknown(request: HttpRequest, namespace: Namespace) -> str:
    raise BadInputError(_("This form is not known here: reload the page and retry."))


_ACTS = {"invite": _invite, "withdraw": _withdraw, "role": _role, "remove": _remove}


def organization_audit(request: HttpRequest, slug: str) -> HttpResponse:
    """Who did what in it and in its repositories."""
    namespace = _governed(request, slug)
    rows = AuditEntry.objects.filter(namespace_number=namespace.pk).order_by("-pk")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"namespace": namespace, "page": page}
    return render(request, "hub/organization_audit.html", context)


def organization_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """The end of an organisation: what goes with it, and its name typed to confirm."""
    namespace = _governed(request, slug)
    if request.method == "POST":
        try:
            if request.POST.get("confirm", "") != namespace.slug:
                raise BadInputError(_("Type the name of the organisation exactly to delete it."))
            closing.delete_organization(namespace, actor_of(request))
        except HubError as error:
            messages.error(request, str(error))
            return redirect("hub:organization-delete", slug=namespace.slug)
        messages.success(request, _("%(repo_id)s is deleted.") % {"repo_id": namespace.slug})
        return redirect("hub:organization-list")
    context = {"namespace": namespace, "losses": closing.losses_of(namespace)}
    return render(request, "hub/organization_delete.html", context)

"""Gated repositories in the browser: asking for the files, and answering those who ask."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions import access_requests
from hub.errors import BadInputError, HubError, UnauthenticatedError
from hub.extensions import Tab
from hub.formats.access_form import ANSWER_LIMIT, AccessField
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Access, AccessRequest, Repository, RequestStatus
from hub.policies import FileAccess, file_access
from hub.rendering import render_markdown

PAGE_SIZE = 30


class AskForm(forms.Form):
    """The questions of a card, as fields of a page."""

    def __init__(self, asked: tuple[AccessField, ...], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for one in asked:
            self.fields[one.key] = _field(one)


def _field(one: AccessField) -> forms.Field:
    common: dict[str, Any] = {
        "label": one.label,
        "help_text": one.description,
        "required": not one.is_optional,
    }
    match one.kind:
        case "checkbox":
            return forms.BooleanField(**common)
        case "date_picker":
            return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **common)
        case "select":
            return forms.ChoiceField(choices=[("", "—"), *one.options], **common)
        case "country":
            widget = forms.TextInput(attrs={"autocomplete": "country-name"})
            return forms.CharField(max_length=ANSWER_LIMIT, widget=widget, **common)
    return forms.CharField(max_length=ANSWER_LIMIT, **common)


class GrantForm(forms.Form):
    user = forms.CharField(label=gettext_lazy("Name of the person"), max_length=150)


def access_panel(
    request: HttpRequest, repository: Repository, form: forms.Form | None = None
) -> dict[str, Any] | None:
    """What a reader is told who may not read the files; None for whoever may."""
    actor = actor_of(request)
    standing = file_access(actor, repository)
    if standing is FileAccess.OPEN:
        return None
    asked = access_requests.form_of(repository)
    mine = AccessRequest.objects.filter(repository=repository, user=actor.user.pk).first()
    return {
        "standing": standing.value,
        "asked": asked,
        "prompt": render_markdown(asked.prompt) if asked.prompt else None,
        "form": form or AskForm(asked.fields),
        "reason": mine.rejection_reason if mine else "",
        "is_automatic": repository.gated == "auto",
        "namespace": repository.namespace.slug,
        "ask_path": f"{repository.get_absolute_url()}/access",
    }


@repository_page()
def access(request: HttpRequest, repository: Repository) -> HttpResponse:
    """What the repository asks of those who want its files, and the answer to it."""
    form = None
    if request.method == "POST":
        if not request.user.is_authenticated:
            raise UnauthenticatedError(_("Sign in to ask for access."))
        form = AskForm(access_requests.form_of(repository).fields, request.POST)
        if form.is_valid():
            return _asked(request, repository)
    panel = access_panel(request, repository, form)
    if panel is None:
        return redirect(repository)
    context = frame(repository, "card") | {"access": panel}
    return render(request, "hub/access.html", context, status=422 if form else 200)


def _asked(request: HttpRequest, repository: Repository) -> HttpResponse:
    try:
        row = access_requests.ask(repository, actor_of(request), request.POST, by_key=True)
    except BadInputError as error:
        messages.error(request, str(error))
    else:
        if row.status == RequestStatus.ACCEPTED:
            messages.success(request, _("You have access to the files."))
        else:
            messages.success(request, _("Your request waits for the maintainers."))
    return redirect(repository)


@repository_page(need=Access.WRITE)
def access_requests_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Who asked, who was let in and who was not; each form says which one it is."""
    here = f"{repository.get_absolute_url()}/settings/access"
    status = request.GET.get("status", RequestStatus.PENDING)
    if status not in RequestStatus.values:
        raise Http404
    if request.method == "POST":
        try:
            done = _ACTS.get(request.POST.get("form", ""), _unknown)(request, repository)
        except HubError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, done)
        return redirect(f"{here}?status={status}")
    rows = repository.access_requests.select_related("user", "decided_by").order_by("-pk")
    counts = {each: rows.filter(status=each).count() for each in RequestStatus.values}
    page = Paginator(rows.filter(status=status), PAGE_SIZE).get_page(request.GET.get("page"))
    context = frame(repository, "access" if repository.gated else "settings") | {
        "page": page,
        "status": status,
        "keep": f"status={status}",
        "status_tabs": [
            Tab(each.value, _WORDS[each], f"{here}?status={each}", counts[each])
            for each in RequestStatus
        ],
        "grant_form": GrantForm(),
    }
    return render(request, "hub/access_requests.html", context)


_WORDS = {
    RequestStatus.PENDING: gettext_lazy("Waiting"),
    RequestStatus.ACCEPTED: gettext_lazy("Let in"),
    RequestStatus.REJECTED: gettext_lazy("Rejected"),
}


def _decide(request: HttpRequest, repository: Repository) -> str:
    access_requests.decide(
        repository,
        actor_of(request),
        status=request.POST.get("status", ""),
        request_id=request.POST.get("request", ""),
        reason=request.POST.get("reason", ""),
    )
    return _("The decision holds from now on.")


def _grant(request: HttpRequest, repository: Repository) -> str:
    form = GrantForm(request.POST)
    if not form.is_valid():
        raise BadInputError(_("Name the person."))
    row = access_requests.grant(repository, actor_of(request), form.cleaned_data["user"])
    return _("%(user)s may read the files.") % {"user": row.user.username}


def _unknown(request: HttpRequest, repository: Repository) -> str:
    raise BadInputError(_("This form is not known here: reload the page and retry."))


_ACTS = {"decide": _decide, "grant": _grant}

"""Pages of whoever runs the hub: people, work, disk, and the whole audit trail."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from hub.actions import operating, operating_facts
from hub.errors import BadInputError, HubError, NotFoundError
from hub.http import parts, shown_once
from hub.http.authentication import actor_of
from hub.models import AuditEntry, Membership, User
from hub.policies import require_operator

PAGE_SIZE = 50
PARTS = {
    "database": gettext_lazy("Database"),
    "broker": gettext_lazy("Message broker"),
    "cache": gettext_lazy("Cache"),
    "object_store": gettext_lazy("Large files"),
    "git": gettext_lazy("Git repositories"),
    "disk": gettext_lazy("Free disk space"),
}
SIGN_UP = {
    "closed": gettext_lazy("Closed: you make accounts, with manage.py ensure_user."),
    "invite": gettext_lazy("By invitation: manage.py invite_person prints a link."),
    "open": gettext_lazy("Open: everybody may make an account."),
}


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """How the hub does: its parts and workers, what is stored, what failed."""
    require_operator(actor_of(request))
    states = parts.states_of_parts()
    context = {
        "amounts": operating_facts.amounts(),
        "parts": [(PARTS[name], state == "ok") for name, state in states.items()],
        "workers": parts.workers_answering(),
        "work": [line for line in operating_facts.work_lines() if line.tells],
        "failures": operating_facts.failures(),
        "largest": operating_facts.largest_namespaces(),
        "sign_up": SIGN_UP[settings.SIGN_UP],
    }
    return render(request, "hub/operating.html", context)


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Accounts, found by a part of name, full name or mail address."""
    require_operator(actor_of(request))
    query = request.GET.get("q", "").strip()[:100]
    rows = operating_facts.people().order_by("username")
    if query:
        rows = rows.filter(
            Q(username__icontains=query) | Q(full_name__icontains=query) | Q(email__icontains=query)
        )
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "hub/operating_people.html", {"page": page, "query": query})


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, username: str) -> HttpResponse:
    """One account, and what the operator may do to it; a link to a new password is shown once."""
    require_operator(actor_of(request))
    found = operating_facts.people().filter(username__iexact=username[:150]).first()
    if found is None:
        raise NotFoundError(_("There is no such account."))
    if request.method == "POST":
        return _act(request, found)
    held = Membership.objects.filter(user=found).exclude(namespace__owner=found)
    context = {
        "person": found,
        "link": shown_once.handed_over(request).get("link", ""),
        "repositories": found.namespace.repositories.count(),
        "organizations": held.select_related("namespace").order_by("namespace__slug"),
        "tokens": found.access_tokens.filter(revoked_at__isnull=True).count(),
        "sessions": found.browser_sessions.count(),
    }
    response = render(request, "hub/operating_person.html", context)
    response["Cache-Control"] = "no-store"
    shown_once.forget(request, response)
    return response


def _act(request: HttpRequest, found: User) -> HttpResponse:
    answer = redirect("hub:operating-person", username=found.username)
    actor, act = actor_of(request), request.POST.get("do", "")
    try:
        if act == "password":
            link = operating.password_link(found, by=actor)
            shown_once.hand_over(request, answer, answer.url, link=link)
        elif act in _SWITCHES:
            to_active, said = _SWITCHES[act]
            operating.switch_account(found, to_active=to_active, by=actor)
            messages.success(request, said % {"name": found.username})
        else:
            raise BadInputError(_("This form is not known here: reload the page and retry."))
    except HubError as error:
        messages.error(request, str(error))
    return answer


_SWITCHES: dict[str, tuple[bool, Any]] = {
    "deactivate": (False, gettext_lazy("%(name)s is deactivated and signed out everywhere.")),
    "reactivate": (True, gettext_lazy("%(name)s may sign in again.")),
}


@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """Who did what on the whole hub."""
    require_operator(actor_of(request))
    page = Paginator(AuditEntry.objects.order_by("-pk"), PAGE_SIZE)
    context = {"page": page.get_page(request.GET.get("page"))}
    return render(request, "hub/operating_audit.html", context)

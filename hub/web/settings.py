"""A person's access tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from hub.actions import tokens
from hub.errors import BadInputError, HubError
from hub.http import shown_once
from hub.http.authentication import actor_of
from hub.models import AccessToken, Kind, RepoId, Repository, TokenScope
from hub.policies import Actor, get_repository, require_person

SCOPES = [
    (TokenScope.READ, gettext_lazy("read: what you may read, private things too")),
    (TokenScope.WRITE, gettext_lazy("write: also everything with repositories, deletion too")),
    (TokenScope.ADMIN, gettext_lazy("admin: also organisations, people, branch protection")),
]
REPOSITORIES_LIMIT = 50


def _lifetimes() -> list[tuple[int, str]]:
    offered = sorted({7, 30, 90, 365, settings.TOKEN_LIFETIME.days})
    return [(days, _("after %(days)d days") % {"days": days}) for days in offered]


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("What is it for?"),
        max_length=96,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("laptop")}),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("It may"), choices=SCOPES, initial=TokenScope.WRITE
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("It ends"),
        choices=_lifetimes,
        coerce=int,
        initial=lambda: settings.TOKEN_LIFETIME.days,
        required=False,
        empty_value=None,
    )
    only = forms.CharField(
        label=gettext_lazy("Only for these repositories"),
        max_length=5000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "namespace/name"}),
        help_text=gettext_lazy("One a line, data sets as datasets/namespace/name. None: all."),
    )


def token_list(request: HttpRequest) -> HttpResponse:
    """A person's tokens; a new one is shown once, on the page that the form leads to."""
    actor = actor_of(request)
    user = require_person(actor)
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            secret = _issue(actor, form.cleaned_data)
        except HubError as error:
            form.add_error("only", str(error))
        else:
            answer = redirect(request.path)
            shown_once.hand_over(request, answer, request.path, secret=secret)
            return answer
    rows = AccessToken.objects.filter(user=user, revoked_at__isnull=True).order_by("-pk")
    # A device renews its token: only the last one is worth showing, and it is shown also once it
    # has ended, for its sign-in can go on until this one is revoked.
    later = AccessToken.objects.filter(session=OuterRef("session"), pk__gt=OuterRef("pk"))
    rows = rows.exclude(Q(session__isnull=False) & Exists(later))
    secret = shown_once.handed_over(request).get("secret", "")
    context = {"form": form, "secret": secret, "tokens": rows.select_related("session")}
    status = 422 if form.errors else 200
    response = render(request, "hub/tokens.html", context, status=status)
    response["Cache-Control"] = "no-store"
    shown_once.forget(request, response)
    return response


def _issue(actor: Actor, data: dict[str, Any]) -> str:
    """The secret of a new token. Raises: HubError, also for a repository that is not there."""
    wanted = data["only"].split()
    if len(wanted) > REPOSITORIES_LIMIT:
        raise BadInputError(_("Name fifty repositories at most."))
    _token, secret = tokens.issue_token(
        require_person(actor),
        name=data["name"],
        scope=data["scope"],
        expires_at=timezone.now() + timedelta(days=data["days"]) if data["days"] else None,
        repositories=[_repository(actor, each) for each in wanted],
        by=actor,
    )
    return secret


def _repository(actor: Actor, path: str) -> Repository:
    """The repository at an address as `datasets/namespace/name`."""
    kinds = {kind.web_prefix: kind for kind in Kind if kind.web_prefix}
    prefix = next((each for each in kinds if path.startswith(each)), "")
    kind = kinds.get(prefix, Kind.MODEL)
    return get_repository(actor, RepoId.parse(kind, path.removeprefix(prefix)))


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    actor = actor_of(request)
    tokens.revoke_token(require_person(actor), pk, by=actor)
    messages.success(request, _("The token is revoked: what used it is signed out."))
    return redirect("hub:token-list")

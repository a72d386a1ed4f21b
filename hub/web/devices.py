"""The page where a person lets a program in: compare the code, approve or deny."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions import devices
from hub.errors import AlreadyDecidedError, HubError
from hub.http.authentication import actor_of
from hub.http.throttle import TRIES, client_address, count_try, forgive_try
from hub.models import DeviceLogin, TokenScope, User
from hub.models.devices import plain_code
from hub.policies import require_person


class CodeForm(forms.Form):
    user_code = forms.CharField(
        label=gettext_lazy("The code that the device shows"),
        max_length=32,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "placeholder": "BCDF-GHJK",
                "class": "code-input mono",
            }
        ),
    )


class ApprovalForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name of its token"),
        max_length=96,
        help_text=gettext_lazy("To find it again among your access tokens."),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("It may"),
        choices=[
            (TokenScope.WRITE, gettext_lazy("Read and write what you may")),
            (TokenScope.READ, gettext_lazy("Only read what you may")),
        ],
    )


def device(request: HttpRequest) -> HttpResponse:
    """Ask for the code, then show what asks; approving is a form of its own (CSRF)."""
    user = require_person(actor_of(request))
    code = request.POST.get("user_code") or request.GET.get("user_code", "")
    if request.GET.get("done") in {"approved", "denied"}:
        return _page(request, {"done": request.GET["done"]})
    if not plain_code(code):
        return _page(request, {"form": CodeForm()})
    login = _find(request, user, code)
    if isinstance(login, str):
        form = CodeForm({"user_code": code[:32]})
        form.add_error("user_code", login)
        return _page(request, {"form": form}, status=422)
    if request.method == "POST" and request.POST.get("decision") in {"approve", "deny"}:
        return _decide(request, login, code)
    return _page(request, _facts(login, code, _approval(login)))


def _find(request: HttpRequest, user: User, code: str) -> DeviceLogin | str:
    """The waiting request with this code, or what to tell whoever guesses."""
    keys = [f"device-code:user:{user.pk}", f"device-code:from:{client_address(request)}"]
    if max(count_try(key) for key in keys) > TRIES:
        return _("Too many tries. Wait five minutes, then try again.")
    login = DeviceLogin.objects.waiting().with_code(code).first()
    if login is None:
        return _("No device waits with this code. Codes end after fifteen minutes: start again.")
    for key in keys:
        forgive_try(key)
    return login


def _approval(login: DeviceLogin, data: Any = None) -> ApprovalForm:
    name = f"{login.client_name} {timezone.now():%Y-%m-%d}"
    return ApprovalForm(data, initial={"name": name, "scope": login.scope})


def _decide(request: HttpRequest, login: DeviceLogin, code: str) -> HttpResponse:
    approve = request.POST["decision"] == "approve"
    form = _approval(login, request.POST if approve else None)
    if approve and not form.is_valid():
        return _page(request, _facts(login, code, form), status=422)
    wanted = form.cleaned_data if approve else form.initial
    try:
        devices.decide(login, actor_of(request), approve=approve, **wanted)
    except AlreadyDecidedError as error:
        return _page(request, {"form": CodeForm(), "ended": str(error)}, status=409)
    except HubError as error:
        form.add_error(None, str(error))
        return _page(request, _facts(login, code, form), status=422)
    return redirect(f"/-/device?done={'approved' if approve else 'denied'}")


def _facts(login: DeviceLogin, code: str, approval: ApprovalForm) -> dict[str, Any]:
    plain = plain_code(code)
    return {"login": login, "code": f"{plain[:4]}-{plain[4:]}", "approval": approval}


def _page(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    response = render(request, "hub/device.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response

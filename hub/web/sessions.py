"""Signing in and out."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from hub.http.sign_in_tries import Refusal, count_guess, was_right

LANGUAGE_SECONDS = 365 * 24 * 3600


class SignInForm(forms.Form):
    username = forms.CharField(
        label=_("Name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


def safe_next(request: HttpRequest) -> str:
    """Where to go afterwards: only to an address of this server (threats A6)."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if allowed else "/"


TOO_MANY = {
    Refusal.SOON: _("Too many tries. Wait five minutes, then try again."),
    Refusal.LATER: _(
        "Too many tries for this name, from several places. Wait an hour, or sign in where you "
        "did before."
    ),
}


def with_language(response: HttpResponse, user: AbstractBaseUser) -> HttpResponse:
    """`response`, which tells the browser the language that its person has chosen."""
    if language := getattr(user, "language", ""):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=LANGUAGE_SECONDS, samesite="Lax"
        )
    return response


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Password sign-in; the same words and the same work for unknown names (threats A2)."""
    if request.user.is_authenticated:
        return redirect(safe_next(request))
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        username = form.cleaned_data["username"]
        if refusal := count_guess(request, username):
            form.add_error(None, TOO_MANY[refusal])
            status = 429
        else:
            user = authenticate(request, username=username, password=form.cleaned_data["password"])
            if user is not None:
                login(request, user)
                was_right(request, username)
                return with_language(redirect(safe_next(request)), user)
            form.add_error(None, _("This name and password do not belong together."))
            status = 422
    context = {"form": form, "next": safe_next(request), "sign_up": settings.SIGN_UP}
    return render(request, "hub/sign_in.html", context, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("/")

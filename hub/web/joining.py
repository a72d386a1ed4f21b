"""Making an account, and choosing a new password with a link."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from hub.actions import joining
from hub.errors import HubError
from hub.http.throttle import TRIES, client_address, count_try
from hub.web.sessions import with_language

PASSWORD_HELP = gettext_lazy("At least 12 characters. A few words that nobody would guess do well.")


def new_password_field(label: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(
        label=label, max_length=1024, strip=False, widget=widget, help_text=PASSWORD_HELP
    )


class SignUpForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=96,
        help_text=gettext_lazy("Your address here, and what others see: letters, digits, “-”."),
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    full_name = forms.CharField(
        label=gettext_lazy("Full name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("Mail address"),
        help_text=gettext_lazy("For a new password when you forget this one. Nobody else sees it."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = new_password_field(gettext_lazy("Password"))


class ForgottenForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("Mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class ChooseForm(forms.Form):
    password = new_password_field(gettext_lazy("New password"))


def _too_often(request: HttpRequest, what: str) -> bool:
    return count_try(f"{what}:from:{client_address(request)}") > TRIES


def _refuse_tries(form: forms.Form) -> int:
    form.add_error(None, _("Too many tries. Wait five minutes, then try again."))
    return 429


@sensitive_post_parameters("password")
def sign_up(request: HttpRequest) -> HttpResponse:
    """A new account, as the operator allows: with an invitation, for everybody, or not at all."""
    if request.user.is_authenticated:
        return redirect("/")
    invitation = request.POST.get("invitation") or request.GET.get("invitation", "")
    form, status = SignUpForm(request.POST or None), 200
    if request.method == "POST" and settings.SIGN_UP != "closed":
        status = 422
        if form.is_valid():
            if _too_often(request, "sign-up"):
                status = _refuse_tries(form)
            else:
                try:
                    user = joining.sign_up(**form.cleaned_data, invitation=invitation[:100])
                except HubError as error:
                    form.add_error(None, str(error))
                else:
                    login(request, user)
                    messages.success(request, _("Welcome. This is your page."))
                    return redirect(user.get_absolute_url())
    is_offered = settings.SIGN_UP == "open" or (settings.SIGN_UP == "invite" and bool(invitation))
    context = {"form": form, "invitation": invitation[:100], "is_offered": is_offered}
    return render(request, "hub/sign_up.html", context, status=status)


def forgotten(request: HttpRequest) -> HttpResponse:
    """Asks for a link by mail; the answer is the same whoever has the address (threat A2)."""
    form, status = ForgottenForm(request.POST or None), 200
    if request.method == "POST" and settings.EMAIL_URL:
        status = 422
        if form.is_valid():
            address = form.cleaned_data["email"]
            asked = count_try(f"forgotten:{address.lower()}")
            if _too_often(request, "forgotten") or asked > TRIES:
                status = _refuse_tries(form)
            else:
                joining.ask_for_password(address)
                return render(request, "hub/password_forgotten.html", {"sent_to": address})
    context = {"form": form, "sends_mail": bool(settings.EMAIL_URL)}
    return render(request, "hub/password_forgotten.html", context, status=status)


@sensitive_post_parameters("password")
def choose_password(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Where the link leads; it works once. Signs nobody in: the new password does that."""
    form, status = ChooseForm(request.POST or None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                user = joining.choose_password(uid, token, form.cleaned_data["password"])
            except HubError as error:
                form.add_error("password", str(error))
            else:
                messages.success(request, _("Your new password holds. Sign in with it."))
                return with_language(redirect("hub:sign-in"), user)
    person = joining.person_of_link(uid, token)
    context = {"form": form, "person": person}
    response = render(request, "hub/password_choose.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response

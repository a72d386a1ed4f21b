"""Settings of one's own account: profile, password, signed-in browsers, the end of it."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from hub.actions import closing, people, sessions
from hub.errors import BadInputError, HubError
from hub.http import sessions as browsers
from hub.http.authentication import actor_of
from hub.http.throttle import TRIES, count_try
from hub.models import BrowserSession, User
from hub.policies import require_person
from hub.web.joining import new_password_field
from hub.web.sessions import with_language


class ProfileForm(forms.Form):
    full_name = forms.CharField(
        label=gettext_lazy("Full name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    bio = forms.CharField(
        label=gettext_lazy("About you"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Plain text, up to 500 characters. Everyone may read it."),
    )
    link = forms.CharField(
        label=gettext_lazy("Link"),
        max_length=200,
        required=False,
        widget=forms.URLInput(attrs={"placeholder": "https://example.org", "autocomplete": "url"}),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[("", gettext_lazy("As the browser asks")), *settings.LANGUAGES],
    )


def current_password_field() -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
    return forms.CharField(
        label=gettext_lazy("Your password now"), max_length=1024, strip=False, widget=widget
    )


class MailForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("Mail address"),
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    current_password = current_password_field()


class PasswordForm(forms.Form):
    current_password = current_password_field()
    password = new_password_field(gettext_lazy("New password"))


class CloseForm(forms.Form):
    confirm = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    current_password = current_password_field()


def _own(request: HttpRequest) -> User:
    user: User = require_person(actor_of(request))
    return user


def _is_sure(form: forms.Form, user: User) -> bool:
    """Whether the form is filled in and the person knows the password; counts guesses."""
    if not form.is_valid():
        return False
    if count_try(f"password:{user.pk}") > TRIES:
        form.add_error(None, _("Too many tries. Wait five minutes, then try again."))
        return False
    if not user.check_password(form.cleaned_data["current_password"]):
        form.add_error("current_password", _("This is not your password."))
        return False
    return True


def _keep_this_browser(request: HttpRequest, user: User) -> None:
    """Every session has ended but this one, which gets a new key."""
    update_session_auth_hash(request, user)
    browsers.begin(request, user.pk)


def home(request: HttpRequest) -> HttpResponse:
    """The first page of the settings."""
    _own(request)
    return redirect("hub:profile")


def profile(request: HttpRequest) -> HttpResponse:
    """What others see of a person, and the language they are spoken to."""
    user = _own(request)
    own = user.namespace
    initial = {
        "full_name": user.full_name,
        "bio": own.bio,
        "link": own.link,
        "language": user.language,
    }
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            people.update_user(user, **form.cleaned_data, by=actor_of(request))
        except HubError as error:
            form.add_error("link", str(error))
        else:
            messages.success(request, _("Your profile is saved."))
            return with_language(redirect("hub:profile"), user)
    status = 422 if form.errors else 200
    return render(request, "hub/settings_profile.html", {"form": form, "own": own}, status=status)


@sensitive_post_parameters("current_password", "password")
def password(request: HttpRequest) -> HttpResponse:
    """A new password or mail address; the password of now is asked for either."""
    user = _own(request)
    data, which = request.POST or None, request.POST.get("form", "")
    mail = MailForm(data if which == "mail" else None, initial={"email": user.email})
    new = PasswordForm(data if which == "password" else None, auto_id="new_%s")
    form = mail if which == "mail" else new
    if request.method == "POST" and _is_sure(form, user):
        change = {name: form.cleaned_data[name] for name in form.fields if name in _CHANGED}
        try:
            user = people.update_user(user, **change, by=actor_of(request))
        except HubError as error:
            form.add_error(next(iter(change)), str(error))
        else:
            if form is new:
                _keep_this_browser(request, user)
            messages.success(request, _SAID[which]())
            return redirect("hub:password")
    context = {"mail_form": mail, "password_form": new}
    status = 422 if mail.errors or new.errors else 200
    return render(request, "hub/settings_password.html", context, status=status)


_CHANGED = ("email", "password")
_SAID = {
    "mail": lambda: _("Your mail address is saved."),
    "password": lambda: _("Your new password holds. Every other browser is signed out."),
}


def session_list(request: HttpRequest) -> HttpResponse:
    """The browsers that are signed in."""
    user = _own(request)
    rows = BrowserSession.objects.filter(user=user).live().order_by("-last_seen_at", "-pk")
    shown: list[dict[str, Any]] = [
        {
            "row": row,
            "words": _browser(row.agent),
            "is_this": row.session_key == request.session.session_key,
        }
        for row in rows
    ]
    return render(request, "hub/settings_sessions.html", {"sessions": shown})


_BROWSERS = (
    ("Edge", r"Edg/"),
    ("Opera", r"OPR/"),
    ("Firefox", r"Firefox/"),
    ("Chrome", r"Chrome/"),
    ("Safari", r"Safari/"),
)
_SYSTEMS = (
    ("Android", r"Android"),
    ("iOS", r"iPhone|iPad"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X"),
    ("Linux", r"Linux"),
)


def _browser(agent: str) -> str:
    """A browser in words, as `Firefox, Linux`; what it calls itself where we do not know it."""
    named = [
        next((name for name, pattern in known if re.search(pattern, agent)), "")
        for known in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(filter(None, named)) or agent[:60]


@require_POST
def session_end(request: HttpRequest) -> HttpResponse:
    """One browser is signed out, or all but this one."""
    user, actor = _own(request), actor_of(request)
    which = request.POST.get("session", "")
    if which == "others":
        sessions.end_all_sessions(user, by=actor)
        _keep_this_browser(request, user)
        messages.success(request, _("Every other browser is signed out."))
    elif which.isdecimal() and len(which) < 18:
        sessions.end_session(user, int(which))
        messages.success(request, _("That browser is signed out."))
    else:
        raise BadInputError(_("This form is not known here: reload the page and retry."))
    return redirect("hub:session-list")


@sensitive_post_parameters("current_password")
def close(request: HttpRequest) -> HttpResponse:
    """The end of an account: what goes, what stays, and twice asked whether."""
    user, actor = _own(request), actor_of(request)
    form = CloseForm(request.POST or None)
    if request.method == "POST" and _is_sure(form, user):
        if form.cleaned_data["confirm"] != user.username:
            form.add_error("confirm", _("Type your name exactly as it is written above."))
        else:
            try:
                closing.close_account(user, actor)
            except HubError as error:
                form.add_error(None, str(error))
            else:
                logout(request)
                messages.success(request, _("Your account is deleted."))
                return redirect("/")
    context = {
        "form": form,
        "losses": closing.losses_of(user.namespace),
        "alone": closing.only_admin_of(user),
    }
    status = 422 if form.errors else 200
    return render(request, "hub/settings_close.html", context, status=status)

"""Which letters a person wants, and the link in a letter that ends them."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from hub.actions import inbox
from hub.http.authentication import actor_of
from hub.jobs.letter_text import read_token
from hub.jobs.letters import is_possible
from hub.models import Digest, MailChoice
from hub.policies import require_person


class LettersForm(forms.Form):
    urgent = forms.BooleanField(
        label=gettext_lazy("A letter at once when somebody names me or asks for my review"),
        required=False,
    )
    digest = forms.ChoiceField(
        label=gettext_lazy("Everything else that is unread, in one letter"), choices=Digest.choices
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language of letters"), choices=settings.LANGUAGES
    )


def letter_choices(request: HttpRequest) -> HttpResponse:
    """The form; it says why no letter comes where none can."""
    actor = actor_of(request)
    user = require_person(actor)
    row = MailChoice.objects.filter(user=user).first() or MailChoice(
        user=user, language=get_language() or settings.LANGUAGE_CODE
    )
    initial = {"urgent": row.urgent, "digest": row.digest, "language": row.language}
    form = LettersForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        inbox.choose_letters(actor, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("hub:notification-settings")
    context = {"form": form, "is_possible": is_possible(), "address": user.email, "choice": row}
    status = 422 if form.errors else 200
    return render(request, "hub/notification_settings.html", context, status=status)


@csrf_exempt  # mail programs post here for their readers (RFC 8058); the token says for whom
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """What a letter's link does: it asks first, for programs follow links on their own."""
    read = read_token(token)
    if read is None:
        raise Http404(_("This link is broken: copy the whole of it from the letter."))
    if request.method == "POST":
        inbox.end_letters(*read)
    context = {"is_done": request.method == "POST", "kind": read[1], "token": token}
    return render(request, "hub/unsubscribe.html", context)

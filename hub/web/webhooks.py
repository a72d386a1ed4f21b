"""Pages of a person's webhooks: the list, one webhook, one delivery."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions import webhooks
from hub.errors import BadInputError, HubError, NotFoundError
from hub.http import shown_once
from hub.http.authentication import actor_of
from hub.jobs.webhooks import readable
from hub.models import Webhook
from hub.policies import Actor

PAGE_SIZE = 20


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=2000,
        widget=forms.URLInput(attrs={"placeholder": "https://ci.example.org/hook"}),
        help_text=gettext_lazy("Must be reachable from the internet. Redirects are not followed."),
    )
    watched = forms.CharField(
        label=gettext_lazy("Watch"),
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"rows": 4, "spellcheck": "false", "placeholder": "model:org/name\norg:name"}
        ),
        help_text=gettext_lazy(
            "One a line: user:name, org:name, model:owner/name, dataset:owner/name."
        ),
    )
    repo = forms.BooleanField(
        label=gettext_lazy("Changes of repositories"), required=False, initial=True
    )
    discussion = forms.BooleanField(
        label=gettext_lazy("Discussions and pull requests"), required=False, initial=True
    )
    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        max_length=256,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("Signs what is sent. Left empty, one is made and shown once."),
    )

    def clean_watched(self) -> list[dict[str, str]]:
        lines = [line.strip() for line in self.cleaned_data["watched"].splitlines()]
        pairs = [line.partition(":") for line in lines if line]
        return [{"type": kind.strip(), "name": name.strip()} for kind, _colon, name in pairs]

    def wanted(self) -> dict[str, Any]:
        """What the form says, as actions want it."""
        given = self.cleaned_data
        domains = [name for name in ("repo", "discussion") if given[name]]
        return {"url": given["url"], "watched": given["watched"], "domains": domains}


def _edit_form(webhook: Webhook, data: Any = None) -> WebhookForm:
    watched = "\n".join(f"{one['type']}:{one['name']}" for one in webhook.watched)
    domains = {name: name in webhook.domains for name in ("repo", "discussion")}
    form = WebhookForm(data, initial={"url": webhook.url, "watched": watched, **domains})
    form.fields["secret"].help_text = _("Left empty, it stays as it is.")
    return form


def webhook_list(request: HttpRequest) -> HttpResponse:
    """A person's webhooks; a secret that we make is shown once, where the form leads to."""
    actor = actor_of(request)
    owner = webhooks.require_owner(actor)
    form = WebhookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["secret"]
        secret = "" if chosen else webhooks.make_secret()
        try:
            made = webhooks.create_webhook(actor, **form.wanted(), secret=chosen or secret)
        except HubError as error:
            form.add_error(None, str(error))
        else:
            return _made(request, made, secret)
    shown = shown_once.handed_over(request)
    context = {"form": form, "webhooks": owner.webhooks.order_by("pk")} | {
        name: shown.get(name, "") for name in ("secret", "made_url")
    }
    response = _fresh(request, "hub/webhooks.html", context, failed=bool(form.errors))
    shown_once.forget(request, response)
    return response


def _made(request: HttpRequest, webhook: Webhook, secret: str) -> HttpResponse:
    """To the webhook, or first to its secret where we made that."""
    if not secret:
        return redirect(webhook)
    answer = redirect(request.path)
    said = {"secret": secret, "made_url": webhook.get_absolute_url()}
    shown_once.hand_over(request, answer, request.path, **said)
    return answer


def webhook_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One webhook with its history. Each form says which one it is."""
    actor = actor_of(request)
    webhook = webhooks.get_webhook(actor, _key(pk))
    form = _edit_form(webhook)
    if request.method == "POST":
        act = request.POST.get("form", "")
        if act == "save":
            form = _edit_form(webhook, request.POST)
            if _saved(form, webhook, actor):
                messages.success(request, _("The webhook has changed."))
                return redirect(webhook)
        else:
            return _act(request, webhook, actor, act)
    page = Paginator(webhook.deliveries.order_by("-pk"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    may_see = readable(webhook.owner, page.object_list)
    rows = [(row, row.pk in may_see) for row in page.object_list]
    context = {"webhook": webhook, "form": form, "page": page, "rows": rows}
    return _fresh(request, "hub/webhook.html", context, failed=bool(form.errors))


def _saved(form: WebhookForm, webhook: Webhook, actor: Actor) -> bool:
    if not form.is_valid():
        return False
    wanted, secret = form.wanted(), form.cleaned_data["secret"] or None
    if not wanted["domains"]:
        form.add_error(None, _("Choose at least one of what it is told."))
        return False
    try:
        webhooks.update_webhook(webhook, actor, **wanted, secret=secret)
    except HubError as error:
        form.add_error(None, str(error))
        return False
    return True


def _act(request: HttpRequest, webhook: Webhook, actor: Actor, act: str) -> HttpResponse:
    try:
        if act == "delete":
            webhooks.delete_webhook(webhook, actor)
            messages.success(request, _("The webhook is deleted."))
            return redirect("hub:webhook-list")
        if act == "test":
            webhooks.send_test(webhook)
            done = _("A test is on its way: reload to see how it went.")
        elif act in {"enable", "disable"}:
            webhooks.set_enabled(webhook, actor, enabled=act == "enable")
            on, off = _("The webhook is switched on."), _("The webhook is switched off.")
            done = on if act == "enable" else off
        else:
            raise BadInputError(_("This form is not known here: reload the page and retry."))
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect(webhook)


def delivery_detail(request: HttpRequest, pk: int, delivery: int) -> HttpResponse:
    """What was sent and what came back; POST sends it once more."""
    actor = actor_of(request)
    webhook = webhooks.get_webhook(actor, _key(pk))
    row = webhook.deliveries.filter(pk=_key(delivery)).first()
    if row is None:
        raise NotFoundError("There is no such delivery of this webhook.")
    row.webhook = webhook
    if request.method == "POST":
        try:
            webhooks.replay(webhook, row.pk)
        except HubError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("It is sent once more: reload to see how it went."))
        return redirect(row)
    shown = row.pk in readable(webhook.owner, [row])
    body = json.dumps(json.loads(row.body), indent=2, ensure_ascii=False) if shown else ""
    context = {"webhook": webhook, "row": row, "shown": shown, "body": body}
    return _fresh(request, "hub/webhook_delivery.html", context)


def _key(number: int) -> int:
    """A number of the address as a key: larger ones than the database knows are nobody's."""
    return number if number < 2**63 else -1


def _fresh(
    request: HttpRequest, template: str, context: dict[str, Any], *, failed: bool = False
) -> HttpResponse:
    response = render(request, template, context, status=422 if failed else 200)
    response["Cache-Control"] = "no-store"
    return response

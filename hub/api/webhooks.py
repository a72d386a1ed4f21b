"""A person's webhooks, as `HfApi` and `hf webhooks` manage them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import webhooks
from hub.api.views import HubView, body_of, text_of
from hub.errors import BadInputError, NotFoundError
from hub.models import Webhook
from hub.models.webhooks import DOMAINS, WATCHED_TYPES


class WatchedSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=WATCHED_TYPES)
    name = serializers.CharField(max_length=200)


class WebhookChangesSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=2000, required=False)
    watched = WatchedSerializer(many=True, required=False)
    domains = serializers.ListField(
        child=serializers.ChoiceField(choices=DOMAINS), required=False, help_text="Default: all."
    )
    secret = serializers.CharField(max_length=256, required=False, allow_blank=True)


class NewWebhookSerializer(WebhookChangesSerializer):
    url = serializers.CharField(max_length=2000)
    watched = WatchedSerializer(many=True, allow_empty=False)


class WebhookSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="24 hex digits")
    url = serializers.CharField()
    watched = WatchedSerializer(many=True)
    domains = serializers.ListField(child=serializers.ChoiceField(choices=DOMAINS))
    disabled = serializers.BooleanField()
    secret = serializers.CharField(
        required=False, help_text="Only in the answer to the request that set it."
    )


class OneWebhookSerializer(serializers.Serializer[Any]):
    webhook = WebhookSerializer()


def shape(webhook: Webhook, *, just_set: str | None = None) -> dict[str, Any]:
    """A webhook on the wire. Its secret goes back to nobody but who sent it just now."""
    return {
        "id": webhook.public_id,
        "url": webhook.url,
        "watched": webhook.watched,
        "domains": webhook.domains,
        "disabled": webhook.disabled,
        **({"secret": just_set} if just_set else {}),
    }


def fields_of(body: dict[str, Any]) -> dict[str, Any]:
    """What a body says about a webhook; what it leaves out is None.

    Raises: BadInputError.
    """
    if body.get("jobSourceId") is not None or body.get("secrets") is not None:
        raise BadInputError(
            "This server runs no Jobs that a webhook could start: give the webhook a “url”."
        )
    optional = {
        name: None if body.get(name) is None else text_of(body, name, most=most)
        for name, most in (("url", 2000), ("secret", 256))
    }
    watched, domains = body.get("watched"), body.get("domains")
    if watched is not None:
        watched = [_watched(one) for one in _list(watched, "watched")]
    if domains is not None and not all(isinstance(one, str) for one in _list(domains, "domains")):
        raise BadInputError("“domains” must be a list of texts.")
    return {**optional, "watched": watched, "domains": domains}


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadInputError(f"“{name}” must be a list.")
    return value


def _watched(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadInputError("Each of “watched” is an object with “type” and “name”.")
    return {"type": text_of(value, "type", most=200), "name": text_of(value, "name", most=200)}


class WebhookListView(HubView):
    """GET, POST /api/settings/webhooks"""

    @extend_schema(summary=_("The caller's webhooks"), responses=WebhookSerializer(many=True))
    def get(self, request: Request) -> Response:
        owner = webhooks.require_owner(self.actor)
        return Response([shape(one) for one in owner.webhooks.order_by("pk")])

    @extend_schema(
        summary=_("Create a webhook"), request=NewWebhookSerializer, responses=OneWebhookSerializer
    )
    def post(self, request: Request) -> Response:
        webhooks.require_owner(self.actor)
        given = fields_of(body_of(request))
        if given["url"] is None:
            raise BadInputError("A webhook needs a “url”.")
        given["domains"] = [*DOMAINS] if given["domains"] is None else given["domains"]
        given["watched"] = given["watched"] or []
        made = webhooks.create_webhook(self.actor, **given)
        return Response({"webhook": shape(made, just_set=given["secret"])})


class OwnWebhookView(HubView):
    """The base of views of one webhook of the caller's own: `self.webhook`."""

    webhook: Webhook

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        webhooks.require_owner(self.actor)
        try:
            pk = int(kwargs["webhook_id"], 16)
        except ValueError:
            pk = -1
        if not 0 < pk < 2**63:
            raise NotFoundError("There is no such webhook among yours.")
        self.webhook = webhooks.get_webhook(self.actor, pk)


class WebhookView(OwnWebhookView):
    """GET, POST, DELETE /api/settings/webhooks/{id}"""

    @extend_schema(summary=_("One of the caller's webhooks"), responses=OneWebhookSerializer)
    def get(self, request: Request, webhook_id: str) -> Response:
        return Response({"webhook": shape(self.webhook)})

    @extend_schema(
        summary=_("Change a webhook: what is left out, or an empty list, stays"),
        request=WebhookChangesSerializer,
        responses=OneWebhookSerializer,
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        given = fields_of(body_of(request))
        changed = webhooks.update_webhook(self.webhook, self.actor, **given)
        return Response({"webhook": shape(changed, just_set=given["secret"])})

    @extend_schema(summary=_("Delete a webhook"), responses={200: {"type": "object"}})
    def delete(self, request: Request, webhook_id: str) -> Response:
        webhooks.delete_webhook(self.webhook, self.actor)
        return Response({})


class WebhookSwitchView(OwnWebhookView):
    """POST /api/settings/webhooks/{id}/enable and /disable"""

    enabled = True

    @extend_schema(
        summary=_("Switch a webhook on or off"), request=None, responses=OneWebhookSerializer
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        changed = webhooks.set_enabled(self.webhook, self.actor, enabled=self.enabled)
        return Response({"webhook": shape(changed)})

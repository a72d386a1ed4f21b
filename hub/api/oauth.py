"""Sign-in from devices (RFC 8628): what `hf auth login` calls."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import devices
from hub.api.parsers import BoundedFormParser, BoundedJSONParser
from hub.api.views import HubView
from hub.errors import OAuthError, ThrottledError
from hub.http.throttle import client_address, count_try
from hub.models import TokenScope

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
PAGE = "/-/device"
# Requests that one address may start in five minutes.
STARTS = 60
# The command line client sends this one, unless it is told another.
CLIENTS = {"26be6b09-91c5-47da-9861-d2d2bb7a7e36": "hf"}


class DeviceRequestSerializer(serializers.Serializer):
    client_id = serializers.CharField(required=False)
    scope = serializers.CharField(required=False, help_text="Without “write” or “manage”: read.")


class DeviceCodeSerializer(serializers.Serializer):
    device_code = serializers.CharField()
    user_code = serializers.CharField()
    verification_uri = serializers.CharField()
    verification_uri_complete = serializers.CharField()
    expires_in = serializers.IntegerField()
    interval = serializers.IntegerField()


class TokenRequestSerializer(serializers.Serializer):
    grant_type = serializers.ChoiceField(choices=[DEVICE_CODE, "refresh_token"])
    device_code = serializers.CharField(required=False)
    refresh_token = serializers.CharField(required=False)
    client_id = serializers.CharField(required=False)


class TokenAnswerSerializer(serializers.Serializer):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField()
    refresh_token = serializers.CharField()
    scope = serializers.CharField()


class OAuthErrorSerializer(serializers.Serializer):
    error = serializers.CharField()
    error_description = serializers.CharField(required=False)


_REFUSED = OpenApiResponse(OAuthErrorSerializer, "A refusal in the words of RFC 6749")


class OAuthView(HubView):
    """Nobody is signed in here: codes and tokens in the body are all that counts."""

    authentication_classes = []
    parser_classes = [BoundedFormParser, BoundedJSONParser]

    def field(self, request: Request, name: str) -> str:
        value = request.data.get(name, "") if hasattr(request.data, "get") else ""
        return value[:512] if isinstance(value, str) else ""


class DeviceView(OAuthView):
    """GET, POST /oauth/device"""

    @extend_schema(
        summary=_("The page where a person approves a device"),
        responses={302: OpenApiResponse(description="To the page")},
    )
    def get(self, request: Request) -> Any:
        query = request.META.get("QUERY_STRING", "")
        return redirect(f"{PAGE}?{query}" if query else PAGE)

    @extend_schema(
        summary=_("Start a sign-in from a device"),
        request=DeviceRequestSerializer,
        responses={200: DeviceCodeSerializer, 400: _REFUSED, 429: _REFUSED},
    )
    def post(self, request: Request) -> Response:
        address = client_address(request._request)
        if count_try(f"device-start:{address}") > STARTS:
            raise ThrottledError("Too many sign-ins were started here. Wait five minutes.")
        asked = devices.ask(
            client_name=client_name(self.field(request, "client_id")),
            address=address,
            scope=wanted_scope(self.field(request, "scope")),
        )
        page = f"{settings.PUBLIC_URL}{PAGE}"
        return _never_kept(
            {
                "device_code": asked.device_code,
                "user_code": asked.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={asked.user_code}",
                "expires_in": int(settings.DEVICE_LOGIN_LIFETIME.total_seconds()),
                "interval": asked.login.interval_seconds,
            }
        )


class TokenView(OAuthView):
    """POST /oauth/token"""

    @extend_schema(
        summary=_("Collect or renew the tokens of a device"),
        request=TokenRequestSerializer,
        responses={200: TokenAnswerSerializer, 400: _REFUSED},
    )
    def post(self, request: Request) -> Response:
        match self.field(request, "grant_type"):
            case "refresh_token":
                granted = devices.renew(self.field(request, "refresh_token"))
            case kind if kind == DEVICE_CODE:
                granted = devices.collect(self.field(request, "device_code"))
            case _:
                raise OAuthError(
                    "unsupported_grant_type", f"Send grant_type {DEVICE_CODE} or refresh_token."
                )
        return _never_kept(
            {
                "access_token": granted.access_token,
                "token_type": "bearer",
                "expires_in": granted.expires_in_seconds,
                "refresh_token": granted.refresh_token,
                "scope": granted.scope,
            }
        )


def client_name(client_id: str) -> str:
    """What a program calls itself, in harmless characters."""
    known = CLIENTS.get(client_id)
    return known or re.sub(r"[^\w.@/-]+", " ", client_id).strip()[:64] or "unnamed"


def wanted_scope(scope: str) -> TokenScope:
    """The scope that the Hub's names for scopes come to; clients that name none want to write."""
    writes = not scope.strip() or "write" in scope or "manage" in scope
    return TokenScope.WRITE if writes else TokenScope.READ


def _never_kept(answer: dict[str, Any]) -> Response:
    response = Response(answer)
    response["Cache-Control"] = "no-store"
    return response

"""Who I am, and what anybody may know of a person or an organisation."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.people_shapes import (
    ROLES,
    OrganizationOverviewShape,
    UserOverviewShape,
    WhoAmIShape,
    avatar_url,
)
from hub.api.views import HubView
from hub.api.wire import moment
from hub.errors import NotFoundError
from hub.extensions import registries
from hub.models import Access, Follow, Membership, Namespace, NamespaceKind, User
from hub.policies import require_person, visible_likes, visible_repositories
from hub.rendering.avatar import avatar_svg


def organizations_of(user: User) -> list[dict[str, Any]]:
    """The organisations a person belongs to, as they themselves are told."""
    held = Membership.objects.filter(
        user=user, namespace__kind=NamespaceKind.ORGANIZATION, access__gt=Access.NONE
    )
    return [
        {
            "type": "org",
            "id": str(one.namespace_id),
            "name": one.namespace.slug,
            "fullname": one.namespace.full_name or one.namespace.slug,
            "email": None,
            "canPay": False,
            "periodEnd": None,
            "plan": None,
            "avatarUrl": avatar_url(one.namespace),
            "roleInOrg": ROLES[Access(one.access)],
            "isEnterprise": False,
        }
        for one in held.select_related("namespace").order_by("namespace__slug")
    ]


class WhoAmIView(HubView):
    """GET /api/whoami-v2"""

    @extend_schema(summary=_("The person behind the token"), responses=WhoAmIShape)
    def get(self, request: Request) -> Response:
        user = require_person(self.actor)
        token = self.actor.token
        answer: dict[str, Any] = {
            "type": "user",
            "id": str(user.pk),
            "name": user.username,
            "fullname": user.get_full_name(),
            "email": user.email or None,
            "emailVerified": bool(user.email),
            "canPay": False,
            "periodEnd": None,
            "isPro": False,
            "avatarUrl": avatar_url(user),
            "orgs": organizations_of(user),
        }
        if token is not None:
            shown = {
                "displayName": token.name,
                "role": token.scope,
                "createdAt": moment(token.created_at),
            }
            answer["auth"] = {"type": "access_token", "accessToken": shown}
        return Response(answer)


class NamespaceView(HubView):
    """The base of what anybody may know of a namespace."""

    kind: NamespaceKind

    def found(self, slug: str) -> Namespace:
        rows = Namespace.objects.filter(kind=self.kind, slug__iexact=slug)
        namespace = rows.select_related("owner").first()
        if namespace is None:
            raise NotFoundError(f"There is no {self.kind.label} “{slug}”.")
        return namespace

    def facts(self, namespace: Namespace) -> dict[str, Any]:
        """What people and organisations have in common; counts are of what the caller may see."""
        mine = visible_repositories(self.actor).filter(namespace=namespace)
        kinds = list(mine.values_list("kind", flat=True))
        follower, rows = self.actor.person, Follow.objects.followers_of(namespace)
        return {
            "_id": str(namespace.pk),
            "fullname": namespace.full_name or namespace.slug,
            "avatarUrl": avatar_url(namespace),
            "details": namespace.bio or None,
            "isFollowing": bool(follower) and rows.filter(follower=follower).exists(),
            "numModels": kinds.count("model"),
            "numDatasets": kinds.count("dataset"),
            "numSpaces": kinds.count("space"),
            "numKernels": kinds.count("kernel"),
            "numPapers": 0,
            "numFollowers": rows.count(),
        }


def owner_of(namespace: Namespace) -> User:
    """The person whose namespace it is. Raises: NotFoundError for an organisation."""
    if namespace.owner is None:
        raise NotFoundError(f"There is no person “{namespace.slug}”.")
    return namespace.owner


class UserOverviewView(NamespaceView):
    """GET /api/users/{name}/overview"""

    kind = NamespaceKind.USER

    @extend_schema(summary=_("A person's public profile"), responses=UserOverviewShape)
    def get(self, request: Request, slug: str) -> Response:
        namespace = self.found(slug)
        user = owner_of(namespace)
        seen = visible_repositories(self.actor)
        return Response(
            {
                "user": user.username,
                "type": "user",
                "isPro": False,
                **self.facts(namespace),
                "numDiscussions": registries.count_discussions(user, seen),
                "numUpvotes": 0,
                "numLikes": visible_likes(self.actor, user).count(),
                "numFollowing": Follow.objects.people_followed_by(user).count(),
                "orgs": [
                    {key: org[key] for key in ("name", "fullname", "avatarUrl")}
                    for org in organizations_of(user)
                ],
                "createdAt": moment(namespace.created_at),
            }
        )


class OrganizationOverviewView(NamespaceView):
    """GET /api/organizations/{name}/overview"""

    kind = NamespaceKind.ORGANIZATION

    @extend_schema(
        summary=_("An organisation's public profile"), responses=OrganizationOverviewShape
    )
    def get(self, request: Request, slug: str) -> Response:
        namespace = self.found(slug)
        members = namespace.memberships.filter(access__gt=Access.NONE)
        return Response(
            {
                "name": namespace.slug,
                "type": "org",
                "isVerified": False,
                "isEnterprise": False,
                **self.facts(namespace),
                "numUsers": members.count(),
                "plan": None,
            }
        )


class AvatarView(HubView):
    """GET /-/avatars/{name}: a picture made from the name, of people and organisations alike."""

    authentication_classes = []

    @extend_schema(
        summary=_("The picture of a name"), responses={(200, "image/svg+xml"): OpenApiTypes.BYTE}
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        response = HttpResponse(avatar_svg(slug), content_type="image/svg+xml")
        # It depends on nothing but the address, and says nothing of whether somebody is there.
        response["Cache-Control"] = "public, max-age=604800, immutable"
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response

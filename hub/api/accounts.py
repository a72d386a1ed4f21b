"""Who I am, and what anybody may know of a person or an organisation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.views import HubView
from hub.errors import NotFoundError
from hub.models import Access, Kind, Membership, Namespace, NamespaceKind, User
from hub.policies import require_person, visible_repositories

ROLES = {
    Access.READ: "read",
    Access.CONTRIBUTE: "contributor",
    Access.WRITE: "write",
    Access.ADMIN: "admin",
}
AVATAR = "/static/brand/avatar.svg"


def avatar_url() -> str:
    return f"{settings.PUBLIC_URL}{AVATAR}"


def organizations_of(user: User) -> list[dict[str, Any]]:
    held = Membership.objects.filter(user=user, namespace__kind=NamespaceKind.ORGANIZATION)
    return [
        {
            "type": "org",
            "name": one.namespace.slug,
            "fullname": one.namespace.full_name or one.namespace.slug,
            "avatarUrl": avatar_url(),
            "roleInOrg": ROLES.get(Access(one.access), "no_access"),
            "isEnterprise": False,
        }
        for one in held.select_related("namespace").order_by("namespace__slug")
    ]


class WhoAmIView(HubView):
    """GET /api/whoami-v2"""

    @extend_schema(summary=_("The person behind the token"))
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
            "isPro": False,
            "avatarUrl": avatar_url(),
            "orgs": organizations_of(user),
        }
        if token is not None:
            shown = {"displayName": token.name, "role": token.scope}
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

    def counts(self, namespace: Namespace) -> dict[str, int]:
        """How many of its repositories the caller may see."""
        mine = visible_repositories(self.actor).filter(namespace=namespace)
        kinds = list(mine.values_list("kind", flat=True))
        return {
            "numModels": kinds.count(Kind.MODEL),
            "numDatasets": kinds.count(Kind.DATASET),
            "numSpaces": 0,
            "numPapers": 0,
            "numFollowers": 0,
        }


class UserOverviewView(NamespaceView):
    """GET /api/users/{name}/overview"""

    kind = NamespaceKind.USER

    @extend_schema(summary=_("A person's public profile"))
    def get(self, request: Request, slug: str) -> Response:
        namespace = self.found(slug)
        user = namespace.owner
        if user is None:  # the database's own constraint says that there is one
            raise NotFoundError(f"There is no person “{slug}”.")
        return Response(
            {
                "user": user.username,
                "fullname": user.get_full_name(),
                "avatarUrl": avatar_url(),
                "isPro": False,
                "type": "user",
                "details": None,
                "isFollowing": False,
                **self.counts(namespace),
                "numDiscussions": 0,
                "numUpvotes": 0,
                "numLikes": 0,
                "numFollowing": 0,
                "orgs": [
                    {key: org[key] for key in ("name", "fullname", "avatarUrl")}
                    for org in organizations_of(user)
                ],
            }
        )


class OrganizationOverviewView(NamespaceView):
    """GET /api/organizations/{name}/overview"""

    kind = NamespaceKind.ORGANIZATION

    @extend_schema(summary=_("An organisation's public profile"))
    def get(self, request: Request, slug: str) -> Response:
        namespace = self.found(slug)
        return Response(
            {
                "name": namespace.slug,
                "fullname": namespace.full_name or namespace.slug,
                "avatarUrl": avatar_url(),
                "details": None,
                "isVerified": False,
                "isFollowing": False,
                "numUsers": namespace.memberships.count(),
                "plan": None,
                **self.counts(namespace),
            }
        )

"""Likes of repositories, and following people and organisations."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import likes
from hub.api import people_shapes as shapes
from hub.api.accounts import NamespaceView, owner_of
from hub.api.paging import newest
from hub.api.parameters import CURSOR, LIMIT
from hub.api.shapes import EmptyShape
from hub.api.views import RepositoryView
from hub.api.wire import linked
from hub.models import Access, Follow, Membership, NamespaceKind, RepoId
from hub.policies import visible_likers, visible_likes

_PEOPLE = shapes.PersonShape(many=True)


class LikeView(RepositoryView):
    """POST and DELETE /api/{kind}s/{namespace}/{name}/like"""

    @extend_schema(summary=_("Like a repository"), request=None, responses=shapes.LikesShape)
    def post(self, request: Request, repo: RepoId) -> Response:
        return Response({"likes": likes.set_like(self.repository, self.actor, liked=True)})

    @extend_schema(summary=_("Take a like back"), request=None, responses={200: shapes.LikesShape})
    def delete(self, request: Request, repo: RepoId) -> Response:
        return Response({"likes": likes.set_like(self.repository, self.actor, liked=False)})


class LikerListView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/likers"""

    @extend_schema(
        summary=_("Who likes a repository"), parameters=[LIMIT, CURSOR], responses=_PEOPLE
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        rows = visible_likers(self.repository).select_related("user")
        shown, cursor = newest(request, rows)
        return linked(request, [shapes.person(row.user) for row in shown], cursor=cursor)


class UserLikeListView(NamespaceView):
    """GET /api/users/{name}/likes"""

    kind = NamespaceKind.USER

    @extend_schema(
        summary=_("What a person likes, of what the caller may see"),
        parameters=[LIMIT, CURSOR],
        responses=shapes.LikeShape(many=True),
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = visible_likes(self.actor, owner_of(self.found(slug)))
        shown, cursor = newest(request, rows.select_related("repository__namespace"))
        return linked(request, [shapes.like(row) for row in shown], cursor=cursor)


class FollowView(NamespaceView):
    """POST and DELETE /api/users/{name}/follow"""

    kind = NamespaceKind.USER

    @extend_schema(
        summary=_("Follow a person or an organisation"), request=None, responses=EmptyShape
    )
    def post(self, request: Request, slug: str) -> Response:
        likes.set_follow(self.found(slug), self.actor, following=True)
        return Response({})

    @extend_schema(summary=_("Stop following"), request=None, responses={200: EmptyShape})
    def delete(self, request: Request, slug: str) -> Response:
        likes.set_follow(self.found(slug), self.actor, following=False)
        return Response({})


class OrganizationFollowView(FollowView):
    """POST and DELETE /api/organizations/{name}/follow"""

    kind = NamespaceKind.ORGANIZATION


class FollowerListView(NamespaceView):
    """GET /api/users/{name}/followers"""

    kind = NamespaceKind.USER

    @extend_schema(summary=_("Who follows"), parameters=[LIMIT, CURSOR], responses=_PEOPLE)
    def get(self, request: Request, slug: str) -> Response:
        rows = Follow.objects.followers_of(self.found(slug)).select_related("follower")
        shown, cursor = newest(request, rows)
        return linked(request, [shapes.person(row.follower) for row in shown], cursor=cursor)


class OrganizationFollowerListView(FollowerListView):
    """GET /api/organizations/{name}/followers"""

    kind = NamespaceKind.ORGANIZATION


class FollowingListView(NamespaceView):
    """GET /api/users/{name}/following"""

    kind = NamespaceKind.USER

    @extend_schema(
        summary=_("The people a person follows"), parameters=[LIMIT, CURSOR], responses=_PEOPLE
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = Follow.objects.people_followed_by(owner_of(self.found(slug)))
        shown, cursor = newest(request, rows.select_related("namespace__owner"))
        people = [shapes.person(owner_of(row.namespace)) for row in shown]
        return linked(request, people, cursor=cursor)


class MemberListView(NamespaceView):
    """GET /api/organizations/{name}/members"""

    kind = NamespaceKind.ORGANIZATION

    @extend_schema(
        summary=_("Members of an organisation"), parameters=[LIMIT, CURSOR], responses=_PEOPLE
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = Membership.objects.filter(namespace=self.found(slug), access__gt=Access.NONE)
        inside = rows.filter(user=self.actor.user.pk).exists()
        shown, cursor = newest(request, rows.select_related("user"))
        return linked(request, [_member(row, inside=inside) for row in shown], cursor=cursor)


def _member(row: Membership, *, inside: bool) -> dict[str, object]:
    """A member; their role is told to other members."""
    role = {"role": shapes.ROLES[Access(row.access)]} if inside else {}
    return shapes.person(row.user) | role

"""People with access to one repository alone: who they are, let in, taken off."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.fields import CharField, ChoiceField
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import collaborators
from hub.actions.invitations import person_named
from hub.api.paging import newest
from hub.api.parameters import CURSOR, LIMIT
from hub.api.people_shapes import ROLES, PersonShape, person
from hub.api.shapes import EmptyShape, Moment, Shape
from hub.api.views import RepositoryView, body_of, text_of
from hub.api.wire import linked, moment
from hub.errors import BadInputError
from hub.models import Access, Collaborator, RepoId
from hub.policies import get_repository

_LEVELS = {role: access for access, role in ROLES.items()}
_CHOICES = [(role, role) for role in _LEVELS]


class CollaboratorShape(PersonShape):
    role = CharField(help_text=f"One of {', '.join(_LEVELS)}.")
    createdAt = Moment()


class RoleShape(Shape[Any]):
    role = ChoiceField(choices=_CHOICES)


def collaborator(row: Collaborator) -> dict[str, Any]:
    role = ROLES[Access(row.access)]
    return person(row.user) | {"role": role, "createdAt": moment(row.created_at)}


class CollaboratorListView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/collaborators"""

    need = Access.ADMIN

    @extend_schema(
        summary=_("Who has access to this repository alone"),
        parameters=[LIMIT, CURSOR],
        responses=CollaboratorShape(many=True),
    )
    def get(self, request: Request, repo: RepoId) -> Response:
        rows = self.repository.collaborators.select_related("user")
        shown, cursor = newest(request, rows)
        return linked(request, [collaborator(row) for row in shown], cursor=cursor)


class CollaboratorView(RepositoryView):
    """PUT and DELETE /api/{kind}s/{namespace}/{name}/collaborators/{user}"""

    @extend_schema(
        summary=_("Give a person a role on this repository alone"),
        request=RoleShape,
        responses={200: CollaboratorShape},
    )
    def put(self, request: Request, repo: RepoId, user: str) -> Response:
        repository = get_repository(self.actor, repo, need=Access.ADMIN)
        role = text_of(body_of(request), "role", most=16)
        if role not in _LEVELS:
            raise BadInputError(f"“role” must be one of {', '.join(_LEVELS)}.")
        row = collaborators.set_collaborator(
            repository, person_named(user[:150]), _LEVELS[role], by=self.actor
        )
        return Response(collaborator(row))

    @extend_schema(
        summary=_("Take a person's role on this repository alone away; everybody may leave"),
        request=None,
        responses={200: EmptyShape},
    )
    def delete(self, request: Request, repo: RepoId, user: str) -> Response:
        me = self.actor.person
        if me is None or me.username.lower() != user.lower():
            get_repository(self.actor, repo, need=Access.ADMIN)
        row = self.repository.collaborators.filter(user__username__iexact=user[:150])
        found = row.select_related("user").first()
        if found is not None:
            collaborators.remove_collaborator(self.repository, found.user, by=self.actor)
        return Response({})

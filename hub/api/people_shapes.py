"""How people, likes and access requests look on the wire."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DictField,
    IntegerField,
)

from hub.api.shapes import Moment, Shape
from hub.api.wire import moment
from hub.models import Access, AccessRequest, Like, Namespace, TokenScope, User

ROLES = {
    Access.READ: "read",
    Access.CONTRIBUTE: "contributor",
    Access.WRITE: "write",
    Access.ADMIN: "admin",
}


def avatar_url(shown: User | Namespace) -> str:
    """The picture that somebody has chosen; else the one that is drawn from their name."""
    if shown.picture_id:
        return f"{settings.PUBLIC_URL}/-/pictures/{shown.picture_id}.webp"
    name = shown.username if isinstance(shown, User) else shown.slug
    return f"{settings.PUBLIC_URL}/-/avatars/{name}"


def person(user: User) -> dict[str, Any]:
    """What anybody may know of a person, in a list."""
    return {
        "_id": str(user.pk),
        "user": user.username,
        "fullname": user.get_full_name(),
        "avatarUrl": avatar_url(user),
        "isPro": False,
        "type": "user",
    }


class PersonShape(Shape[Any]):
    _id = CharField()
    user = CharField()
    fullname = CharField()
    avatarUrl = CharField()
    isPro = BooleanField()
    type = CharField()
    role = CharField(required=False, help_text="Of a member, told to members.")


def like(row: Like) -> dict[str, Any]:
    repository = row.repository
    return {
        "createdAt": moment(row.created_at),
        "repo": {"name": repository.repo_id, "type": repository.kind},
    }


class LikedRepositoryShape(Shape[Any]):
    name = CharField()
    type = CharField()


class LikeShape(Shape[Any]):
    createdAt = Moment()
    repo = LikedRepositoryShape()


class LikesShape(Shape[Any]):
    likes = IntegerField()


def access_request(row: AccessRequest) -> dict[str, Any]:
    """A request as its deciders see it. Whoever asked agreed to tell their address."""
    who = {
        "_id": str(row.user.pk),
        "user": row.user.username,
        "fullname": row.user.get_full_name(),
        "avatarUrl": avatar_url(row.user),
    }
    if row.asked_at and row.user.email:
        who["email"] = row.user.email
    facts: dict[str, Any] = {
        "requestId": str(row.pk),
        "user": who,
        "status": row.status,
        "timestamp": moment(row.asked_at or row.created_at),
    }
    if row.fields:
        facts["fields"] = row.fields
    if row.rejection_reason:
        facts["rejectionReason"] = row.rejection_reason
    if not row.asked_at:
        facts["grantedBy"] = row.decided_by.username if row.decided_by else None
    return facts


class AskerShape(Shape[Any]):
    _id = CharField()
    user = CharField()
    fullname = CharField()
    avatarUrl = CharField()
    email = CharField(required=False, help_text="Of people who asked themselves.")


class AccessRequestShape(Shape[Any]):
    requestId = CharField()
    user = AskerShape()
    status = ChoiceField(["pending", "accepted", "rejected"])
    timestamp = Moment()
    rejectionReason = CharField(required=False)
    grantedBy = CharField(required=False, allow_null=True, help_text="When nobody asked.")

    def get_fields(self) -> dict[str, Any]:
        """`fields` is an attribute that serializers use themselves, so it is added here."""
        return {**super().get_fields(), "fields": _answers()}


def _answers() -> DictField:
    return DictField(required=False, help_text="Answers by the card's labels.")


class DecisionShape(Shape[Any]):
    user = CharField(required=False)
    requestId = CharField(required=False)
    status = ChoiceField(["pending", "accepted", "rejected"])
    rejectionReason = CharField(required=False, max_length=200)


class GrantShape(Shape[Any]):
    user = CharField()


class AskShape(Shape[Any]):
    def get_fields(self) -> dict[str, Any]:
        return {"fields": _answers()}


# Overviews -------------------------------------------------------------------------------------
class OrganizationNameShape(Shape[Any]):
    name = CharField()
    fullname = CharField()
    avatarUrl = CharField()


class _NamespaceShape(Shape[Any]):
    """Counts are of what the caller may see."""

    _id = CharField()
    fullname = CharField()
    avatarUrl = CharField()
    details = CharField(allow_null=True)
    isFollowing = BooleanField()
    numModels = IntegerField()
    numDatasets = IntegerField()
    numSpaces = IntegerField()
    numKernels = IntegerField()
    numPapers = IntegerField()
    numFollowers = IntegerField()


class UserOverviewShape(_NamespaceShape):
    user = CharField()
    type = CharField()
    isPro = BooleanField()
    numDiscussions = IntegerField()
    numUpvotes = IntegerField()
    numLikes = IntegerField()
    numFollowing = IntegerField()
    orgs = OrganizationNameShape(many=True)
    createdAt = Moment()


class OrganizationOverviewShape(_NamespaceShape):
    name = CharField()
    type = CharField()
    isVerified = BooleanField()
    isEnterprise = BooleanField()
    numUsers = IntegerField()
    plan = CharField(allow_null=True)


class MyOrganizationShape(OrganizationNameShape):
    type = CharField()
    id = CharField()
    email = CharField(allow_null=True)
    canPay = BooleanField()
    periodEnd = IntegerField(allow_null=True)
    plan = CharField(allow_null=True)
    roleInOrg = ChoiceField(choices=list(ROLES.values()))
    isEnterprise = BooleanField()


class TokenShape(Shape[Any]):
    displayName = CharField()
    role = ChoiceField(choices=TokenScope.choices)
    createdAt = Moment()


class AuthShape(Shape[Any]):
    type = CharField()
    accessToken = TokenShape()


class WhoAmIShape(Shape[Any]):
    type = CharField()
    id = CharField()
    name = CharField()
    fullname = CharField()
    email = CharField(allow_null=True)
    emailVerified = BooleanField()
    canPay = BooleanField()
    periodEnd = IntegerField(allow_null=True)
    isPro = BooleanField()
    avatarUrl = CharField()
    orgs = MyOrganizationShape(many=True)
    auth = AuthShape(required=False, help_text="Absent in a browser's session.")

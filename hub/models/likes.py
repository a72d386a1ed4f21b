"""Who likes which repository, and who follows whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from hub.models.namespaces import Namespace
    from hub.models.people import User


class Like(models.Model):
    """`Repository.likes` counts these rows; `actions.likes` changes both together."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="like_rows"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="likes"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "repository"], name="like_unique")]
        indexes = [models.Index(fields=["created_at"], name="like_recent")]


class FollowQuerySet(models.QuerySet["Follow"]):
    def followers_of(self, namespace: Namespace) -> Self:
        """Rows whose `follower` is a person who may still sign in."""
        return self.filter(namespace=namespace, follower__is_active=True)

    def people_followed_by(self, user: User) -> Self:
        """Rows whose `namespace` is a person's, who may still sign in."""
        return self.filter(follower=user, namespace__owner__is_active=True)


class Follow(models.Model):
    """A person wants to know what a person or an organisation does."""

    follower = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="follows"
    )
    namespace = models.ForeignKey(
        "hub.Namespace", on_delete=models.CASCADE, related_name="follower_rows"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FollowQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["follower", "namespace"], name="follow_unique")
        ]

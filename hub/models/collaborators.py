"""People who hold access on one repository, beside those of its namespace; and its handing over."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from hub.models.namespaces import Access


class Collaborator(models.Model):
    """The access a person holds on one repository, whatever their place in its namespace."""

    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="collaborators"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="collaborations"
    )
    access = models.IntegerField(choices=Access)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "user"], name="collaborator_unique"),
            models.CheckConstraint(
                condition=Q(access__in=Access.values, access__gt=Access.NONE),
                name="collaborator_access_known",
            ),
        ]


class RepositoryTransfer(models.Model):
    """An offer of a repository to a namespace whose people have not answered yet."""

    repository = models.OneToOneField(
        "hub.Repository", on_delete=models.CASCADE, related_name="transfer"
    )
    target = models.ForeignKey(
        "hub.Namespace", on_delete=models.CASCADE, related_name="offered_repositories"
    )
    offered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

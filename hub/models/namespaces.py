"""Namespaces own repositories: a person has one, an organisation is one."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class Access(models.IntegerChoices):
    """What a person may do in a namespace; each level holds the ones below it."""

    NONE = 0, _("No")
    READ = 10, _("Read")
    CONTRIBUTE = 20, _("Contribute")
    WRITE = 30, _("Write")
    ADMIN = 40, _("Admin")


class NamespaceKind(models.TextChoices):
    USER = "user", _("person")
    ORGANIZATION = "org", _("organisation")


class Namespace(models.Model):
    """The first part of a `repo_id`."""

    slug = models.CharField(max_length=96)
    kind = models.CharField(max_length=8, choices=NamespaceKind)
    full_name = models.CharField(max_length=150, blank=True)
    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="namespace",
        help_text="The person whose namespace this is; empty for an organisation.",
    )
    bio = models.CharField(max_length=500, blank=True)
    link = models.URLField(max_length=200, blank=True)
    picture = models.ForeignKey(
        "hub.Picture", on_delete=models.PROTECT, null=True, blank=True, related_name="namespaces"
    )
    private_by_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="namespaces"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("slug"), name="namespace_slug_unique"),
            models.CheckConstraint(
                condition=Q(kind__in=NamespaceKind.values), name="namespace_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="user", owner__isnull=False) | Q(kind="org", owner__isnull=True),
                name="namespace_owner_matches_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        return f"/{self.slug}"


class Membership(models.Model):
    """The access a person holds on everything in a namespace."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    access = models.IntegerField(choices=Access)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["namespace", "user"], name="membership_unique"),
            models.CheckConstraint(
                condition=Q(access__in=Access.values), name="membership_access_known"
            ),
        ]


class Invitation(models.Model):
    """An organisation asks a person in; it ends when they answer."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="invitations")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitations"
    )
    access = models.IntegerField(choices=Access)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["namespace", "user"], name="invitation_unique"),
            models.CheckConstraint(
                condition=Q(access__in=Access.values, access__gt=Access.NONE),
                name="invitation_access_known",
            ),
        ]

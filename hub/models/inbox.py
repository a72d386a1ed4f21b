"""What people are told: whom they listen to, and one row a person and thread of what they heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from hub.models.repositories import RepositoryQuerySet


class Listening(models.TextChoices):
    """What somebody chose to hear of a repository or a thread; without a row: what concerns them.

    Who takes part in a thread hears of it anyway: that follows from what they did there.
    """

    WATCHING = "watching", _("Everything")
    MUTED = "muted", _("Nothing")


class Subscription(models.Model):
    """A choice for one thread, or with an empty `thread` for a whole repository."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="subscriptions"
    )
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="subscriptions"
    )
    thread = models.CharField(max_length=64, blank=True, help_text="discussions/7, runs/3")
    level = models.CharField(max_length=16, choices=Listening)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "repository", "thread"], name="subscription_unique"
            ),
            models.CheckConstraint(
                condition=Q(level__in=Listening.values), name="subscription_level_known"
            ),
        ]
        indexes = [models.Index(fields=["repository", "thread"], name="subscription_thread")]


class Reason(models.TextChoices):
    """Why somebody is told; the strongest comes first."""

    MENTION = "mention", _("you were named")
    REVIEW = "review", _("your review was asked for")
    ACCESS = "access", _("somebody asks for access")
    INVITATION = "invitation", _("you are a member now")
    GATE = "gate", _("the gate has decided")
    RUN = "run", _("your run has ended")
    AUTHOR = "author", _("you opened it")
    COMMENT = "comment", _("you take part")
    WATCHING = "watching", _("you watch it")


# What somebody hears of their own access.
ANSWERS = ("access.accepted", "access.rejected")
YOUR_ACCESS = _("your access to the files")
STRENGTH = {reason: place for place, reason in enumerate(reversed(Reason.values))}
# What a letter is sent for at once.
URGENT = (Reason.MENTION, Reason.REVIEW)
# Who was told for one of these takes part from then on.
PERSONAL = (Reason.MENTION, Reason.REVIEW)


class NotificationState(models.TextChoices):
    UNREAD = "unread", _("unread")
    READ = "read", _("read")
    DONE = "done", _("done")


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of(self, user: Any, seen: RepositoryQuerySet) -> Self:
        """What `user` was told of repositories that they may still read (`seen`), or of none."""
        # Asked row by row: a person has few rows, and a hub many repositories.
        readable = Exists(seen.filter(pk=OuterRef("repository")))
        return self.filter(Q(repository=None) | readable, user=user)

    def unread(self) -> Self:
        return self.filter(state=NotificationState.UNREAD)

    def unmailed(self) -> Self:
        """Those that no letter has told since they were told last."""
        return self.unread().filter(Q(mailed_at=None) | Q(mailed_at__lt=F("told_at")))


class Notification(models.Model):
    """What a person was told last of one thread of a repository, or of an organisation.

    It holds no text that people or machines wrote but the title: who lost access, and who may not
    know a benchmark's numbers, learns nothing from it.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, null=True, related_name="+"
    )
    namespace = models.ForeignKey(
        "hub.Namespace", on_delete=models.CASCADE, null=True, related_name="+"
    )
    thread = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=16, choices=Reason)
    state = models.CharField(
        max_length=8, choices=NotificationState, default=NotificationState.UNREAD
    )
    kind = models.CharField(max_length=64, help_text="Of the event that it tells of.")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    title = models.CharField(max_length=256, blank=True)
    data = models.JSONField(default=dict)
    told_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "repository", "thread"],
                condition=Q(repository__isnull=False),
                name="notification_thread_unique",
            ),
            models.UniqueConstraint(
                fields=["user", "namespace", "thread"],
                condition=Q(repository__isnull=True),
                name="notification_namespace_unique",
            ),
            models.CheckConstraint(
                condition=Q(repository__isnull=True) ^ Q(namespace__isnull=True),
                name="notification_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(reason__in=Reason.values), name="notification_reason_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=NotificationState.values), name="notification_state_known"
            ),
        ]
        indexes = [
            models.Index(F("user"), F("told_at").desc(), name="notification_newest"),
            models.Index(fields=["user"], condition=Q(state="unread"), name="notification_unread"),
            models.Index(fields=["repository", "thread"], name="notification_thread"),
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.thread}"

    @property
    def place(self) -> str:
        """The name of the repository or organisation."""
        return self.repository.repo_id if self.repository else str(self.namespace)

    @property
    def is_placed(self) -> bool:
        """Whether the title says less than the place."""
        return self.title not in ("", self.place)

    @property
    def why(self) -> str:
        """The reason in words: an answer about access is not a question for it."""
        return str(YOUR_ACCESS) if self.kind in ANSWERS else self.get_reason_display()

    @property
    def number(self) -> str:
        """The number of a discussion or run; empty for what has none."""
        tail = self.thread.rpartition("/")[2]
        return tail if tail.isdecimal() else ""

    def get_absolute_url(self) -> str:
        """Where to read it, by the name that the repository has now."""
        about = self.repository or self.namespace
        base = about.get_absolute_url() if about else "/"
        path = f"{base}/{self.thread}" if self.thread else base
        return f"{path}#event-{self.data['comment']}" if self.data.get("comment") else path

"""Webhooks and what they have sent: the delivery's row is the job, a message rings only."""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models.leases import Leased, RetriedQuerySet
from hub.models.namespaces import NamespaceKind

if TYPE_CHECKING:
    from hub.models.repositories import Repository

# What may be watched; names that this server does not have are no fault.
WATCHED_TYPES = ("user", "org", "model", "dataset", "space", "kernel", "bucket")
DOMAINS = ("repo", "discussion")
# Waits before the second, third, … attempt; after the last one the delivery has failed.
BACKOFF = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200, 6 * 3600, 12 * 3600)
)
ATTEMPTS = len(BACKOFF) + 1
# A webhook whose server does not answer is asked at most this seldom, whatever is waiting.
LONGEST_HOLD = timedelta(hours=1)
FAILURES_LIMIT = 20
UNDER_WAY_PER_OWNER = 3


class DisabledReason(models.TextChoices):
    NONE = "", _("on")
    OWNER = "owner", _("switched off")
    FAILURES = "failures", _("switched off after 20 failures in a row")
    ACCOUNT = "account", _("switched off with the account")


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("waiting")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    WITHHELD = "withheld", _("withheld")


@cache
def _box(secret_key: str) -> Fernet:
    digest = hashlib.sha256(b"webhook secrets\0" + secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def watch_key(kind: str, name: str) -> str:
    return f"{kind}:{name.lower()}"


def keys_of(repository: Repository, *, moved_from: str = "") -> list[str]:
    """What a webhook may watch to hear of `repository`: its names, old ones too, and its owner.

    When it moves, those who watch its former owner are meant too.
    """
    former = repository.redirects.select_related("namespace")
    names = {repository.repo_id, *(f"{one.namespace.slug}/{one.name}" for one in former)}
    keys = [watch_key(repository.kind, name) for name in names | {moved_from} - {""}]
    owners = {name.partition("/")[0] for name in (repository.repo_id, moved_from) if name}
    return keys + [watch_key(kind, slug) for kind in NamespaceKind.values for slug in owners]


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def listening(self, keys: list[str], domain: str) -> WebhookQuerySet:
        """Those that watch one of `keys`, each with its owner."""
        live = self.filter(disabled_reason=DisabledReason.NONE, owner__is_active=True)
        matching = live.filter(watch_keys__overlap=keys, domains__contains=[domain])
        return matching.select_related("owner").order_by("pk")

    def ready(self) -> WebhookQuerySet:
        """Those that may send now."""
        now = timezone.now()
        held = Q(held_until__isnull=True) | Q(held_until__lte=now)
        return self.filter(held, disabled_reason=DisabledReason.NONE)

    def due(self) -> WebhookQuerySet:
        """Those that may send now and have something to send, nothing of which is under way."""
        owed = WebhookDelivery.objects.filter(webhook=models.OuterRef("pk"))
        return self.ready().filter(models.Exists(owed.due()), ~models.Exists(owed.under_way()))


class Webhook(models.Model):
    """Where to tell somebody what happens to the repositories that they watch."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks"
    )
    url = models.CharField(max_length=2000)
    watched = models.JSONField(default=list, help_text="[{type, name}] as its owner wrote it.")
    watch_keys = ArrayField(models.CharField(max_length=220), default=list)
    domains = ArrayField(models.CharField(max_length=16), default=list)
    sealed_secret = models.TextField(
        blank=True, help_text="Under a key of SECRET_KEY: a copy of the database shows none."
    )
    disabled_reason = models.CharField(max_length=16, blank=True, choices=DisabledReason)
    failures = models.PositiveIntegerField(default=0, help_text="Failed attempts in a row.")
    held_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(disabled_reason__in=DisabledReason.values),
                name="webhook_disabled_reason_known",
            )
        ]
        indexes = [GinIndex(fields=["watch_keys"], name="webhook_watch_keys")]

    def __str__(self) -> str:
        return self.url

    @property
    def public_id(self) -> str:
        """24 hex digits, as clients know ids."""
        return f"{self.pk:024x}"

    @property
    def disabled(self) -> bool:
        return self.disabled_reason != DisabledReason.NONE

    @property
    def secret(self) -> str | None:
        """The secret in the clear, to sign with. Raises: ValueError when SECRET_KEY is another."""
        if not self.sealed_secret:
            return None
        try:
            return _box(settings.SECRET_KEY).decrypt(self.sealed_secret.encode()).decode()
        except InvalidToken:
            raise ValueError("The secret was stored under another SECRET_KEY.") from None

    @secret.setter
    def secret(self, value: str) -> None:
        sealed = _box(settings.SECRET_KEY).encrypt(value.encode()).decode() if value else ""
        self.sealed_secret = sealed

    def watch(self, watched: list[dict[str, str]]) -> None:
        self.watched = watched
        self.watch_keys = sorted({watch_key(one["type"], one["name"]) for one in watched})

    def get_absolute_url(self) -> str:
        return f"/-/settings/webhooks/{self.pk}"


class WebhookDeliveryQuerySet(RetriedQuerySet["WebhookDelivery"]):
    @transaction.atomic
    def claim_next(self, webhook_id: int) -> WebhookDelivery | None:
        """The oldest due delivery of a webhook, claimed.

        None when nothing is due, the webhook is held or off, or one of its deliveries is under
        way: a webhook sends one at a time, in order. A lease that ran out is taken over.
        """
        webhook = (
            Webhook.objects.ready()
            .select_for_update(no_key=True, of=("self",))  # new deliveries need not wait
            .select_related("owner")
            .filter(pk=webhook_id)
            .first()
        )
        if webhook is None or self.under_way().filter(webhook=webhook).exists():
            return None
        of_owner = self.under_way().filter(webhook__owner=webhook.owner_id)
        if of_owner.count() >= UNDER_WAY_PER_OWNER:
            return None
        oldest = self.due().filter(webhook=webhook).order_by("pk").values_list("pk", flat=True)
        pk = oldest.first()
        row = None if pk is None else self.claim(pk, attempted_at=timezone.now())
        if row is not None:
            row.webhook = webhook
        return row

    def give_up(self) -> int:
        """Settle those whose worker was gone at the last attempt; how many."""
        return self.exhausted().close(
            state=DeliveryState.FAILED,
            status_code=None,
            seconds=None,
            response="",
            problem="This server's worker ended while it was sending: it may have arrived.",
        )


class WebhookDelivery(Leased):
    """One event for one webhook. Its id and body are the same at every attempt."""

    LIVE: ClassVar[Q] = Q(state="waiting")
    FAILED: ClassVar[Q | None] = Q(state="failed")
    ENDED: ClassVar[str] = "attempted_at"
    REASON: ClassVar[str] = "problem"
    TITLE: ClassVar[Any] = _("Deliveries of webhooks")

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    scope = models.CharField(max_length=32, help_text="repo.content, discussion, …")
    action = models.CharField(max_length=16)
    body = models.TextField()
    # Whose reading rights count, also once the repository is gone; none for a test.
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    namespace = models.ForeignKey(
        "hub.Namespace", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    repo_id = models.CharField(max_length=200)
    was_private = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS)
    due_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)
    # Of the latest attempt:
    attempted_at = models.DateTimeField(null=True, blank=True)
    status_code = models.PositiveIntegerField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    response = models.TextField(blank=True, help_text="The beginning of the answer.")
    problem = models.CharField(max_length=300, blank=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=DeliveryState.values), name="webhook_delivery_state_known"
            )
        ]
        indexes = [
            models.Index(
                fields=["webhook", "due_at"],
                condition=Q(state="waiting"),
                name="webhook_delivery_waiting",
            ),
            models.Index(F("webhook"), F("id").desc(), name="webhook_delivery_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.scope} {self.action}"

    @property
    def message_id(self) -> str:
        """What receivers tell repeated deliveries by."""
        return f"msg_{self.uid.hex}"

    @property
    def milliseconds(self) -> int | None:
        return None if self.seconds is None else round(self.seconds * 1000)

    @property
    def is_waiting(self) -> bool:
        return self.state == DeliveryState.WAITING

    def get_absolute_url(self) -> str:
        return f"{self.webhook.get_absolute_url()}/deliveries/{self.pk}"

    @classmethod
    def lease(cls) -> timedelta:
        """One attempt ends by itself after ten seconds."""
        return timedelta(seconds=20)

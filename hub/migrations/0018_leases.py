from django.db import migrations, models
from django.db.models import Q

WORK = [("waiting", "waiting"), ("running", "running"), ("done", "done"), ("failed", "failed")]
LETTERS = [
    ("waiting", "waiting"), ("sent", "sent"), ("empty", "nothing left to say"),
    ("unsure", "its worker ended while sending"), ("failed", "failed"),
]


class Migration(migrations.Migration):
    """One shape for every lease; what waits in these tables waits on."""

    dependencies = [("hub", "0017_search")]

    operations = [
        # Tables
        migrations.RemoveIndex("tablefacts", "table_facts_due"),
        migrations.RemoveConstraint("tablefacts", "table_facts_state_known"),
        migrations.RenameField("tablefacts", "lease_until", "lease_ends_at"),
        migrations.AddField("tablefacts", "started_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("tablefacts", "finished_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("tablefacts", "error", models.JSONField(blank=True, default=dict)),
        migrations.RemoveField("tablefacts", "fault"),
        migrations.AddIndex(
            "tablefacts",
            models.Index(
                fields=["lease_ends_at"],
                condition=Q(state__in=("waiting", "running")),
                name="tablefacts_due",
            ),
        ),
        migrations.AddConstraint(
            "tablefacts",
            models.CheckConstraint(
                condition=Q(state__in=[state for state, _label in WORK]),
                name="tablefacts_state_known",
            ),
        ),
        # Deliveries of webhooks
        migrations.RemoveIndex("webhookdelivery", "webhook_delivery_waiting"),
        migrations.RenameField("webhookdelivery", "next_attempt_at", "due_at"),
        migrations.RemoveField("webhookdelivery", "attempts"),
        migrations.RemoveField("webhookdelivery", "last_attempt"),
        migrations.AddField("webhookdelivery", "fence", models.PositiveIntegerField(default=0)),
        migrations.AddField(
            "webhookdelivery", "attempts_left", models.PositiveSmallIntegerField(default=8)
        ),
        migrations.AddIndex(
            "webhookdelivery",
            models.Index(
                fields=["webhook", "due_at"],
                condition=Q(state="waiting"),
                name="webhook_delivery_waiting",
            ),
        ),
        # Letters: one that was being sent is one of which nobody knows.
        migrations.RunSQL(
            "UPDATE hub_letter SET state = 'unsure' WHERE state = 'sending'",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveIndex("letter", "letter_due"),
        migrations.RemoveConstraint("letter", "letter_state_known"),
        migrations.RenameField("letter", "send_at", "due_at"),
        migrations.RemoveField("letter", "claimed_at"),
        migrations.RemoveField("letter", "attempts"),
        migrations.AddField("letter", "fence", models.PositiveIntegerField(default=0)),
        migrations.AddField("letter", "attempts_left", models.PositiveSmallIntegerField(default=5)),
        migrations.AddField("letter", "lease_ends_at", models.DateTimeField(blank=True, null=True)),
        migrations.AlterField(
            "letter", "state", models.CharField(choices=LETTERS, default="waiting", max_length=8)
        ),
        migrations.AddIndex(
            "letter",
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="letter_due"),
        ),
        migrations.AddConstraint(
            "letter",
            models.CheckConstraint(
                condition=Q(state__in=[state for state, _label in LETTERS]),
                name="letter_state_known",
            ),
        ),
    ]

"""What is known of a table: how many rows, where they begin, what its columns hold."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models.work import Work, WorkQuerySet, WorkState


class TableFacts(Work):
    """One or more files that are one table, by the digest of their contents; the row is the job.

    Whoever may read such files may read this: it is shared by all repositories that have them.
    """

    TITLE: ClassVar[Any] = _("Facts of tables")

    digest = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField(help_text="Of what is worked out.")
    repository = models.ForeignKey(
        "hub.Repository", on_delete=models.CASCADE, related_name="+", help_text="Read from here."
    )
    parts = models.JSONField(help_text="The files, in order: path, format, size, where they lie.")
    used_at = models.DateTimeField(default=timezone.now)
    counts = models.JSONField(default=list, help_text="Rows of each file.")
    marks = models.JSONField(default=list, help_text="For each file: rows and where they begin.")
    columns = models.JSONField(default=list, help_text="Statistics of each column.")
    counted_rows = models.BigIntegerField(default=0, help_text="Those the statistics are over.")
    broken_rows = models.BigIntegerField(default=0, help_text="Of these, unreadable ones.")
    is_cut = models.BooleanField(default=False, help_text="There are rows that nobody counted.")

    objects: ClassVar[WorkQuerySet[TableFacts]] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta(Work.Meta):
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(fields=["digest", "version"], name="table_facts_unique"),
        ]
        indexes = [
            *Work.Meta.indexes,
            models.Index(fields=["used_at"], name="table_facts_used"),
        ]

    @property
    def fault(self) -> str:
        """Why it could not be gone through, in one word; "" otherwise."""
        return str(self.error.get("code", ""))

    @property
    def rows(self) -> int:
        """All rows, or with `is_cut` at least so many."""
        return sum(self.counts)

    @property
    def is_partial(self) -> bool:
        """Whether the statistics are over the first rows only."""
        return self.is_cut or self.counted_rows < self.rows

    @property
    def is_done(self) -> bool:
        return self.state == WorkState.DONE

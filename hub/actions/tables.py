"""Tables of a repository: which there are, a page of their rows, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from django.core.cache import cache
from django.db import IntegrityError, transaction

from hub.errors import EntryNotFoundError, HubError, TooLargeError
from hub.formats.card import parse_card
from hub.formats.tables.errors import TableError
from hub.formats.tables.splits import Split, splits_of
from hub.jobs import tables as jobs
from hub.jobs.doorbell import ring
from hub.jobs.table_files import VERSION, TablePart, digest_of, require_parts
from hub.models import Repository, TableFacts, WorkState
from hub.tasks import work_out_table

# So little is worked out while the reader waits, everything else by a worker.
AT_ONCE_BYTES = 256 * 1024
AT_ONCE_FILES = 4
CARD_LIMIT_BYTES = 1024**2
# Commits are named by content: what they hold stays the same for ever.
_KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Table:
    """Files of one repository, at one commit, that are one table."""

    repository: Repository
    oid: str
    parts: tuple[TablePart, ...]

    @cached_property
    def digest(self) -> str:
        return digest_of(self.parts)

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    @property
    def is_small(self) -> bool:
        return self.size_bytes <= AT_ONCE_BYTES and len(self.parts) <= AT_ONCE_FILES


@dataclass(frozen=True)
class Splits:
    """The splits of a data set at one commit. `problem` says why they could not be found."""

    found: list[Split] = field(default_factory=list)
    problem: str = ""

    def named(self, config: str = "", split: str = "") -> Split | None:
        """The split that is meant; the first of what is not said."""
        for each in self.found:
            if config in ("", each.config) and split in ("", each.name):
                return each
        return None

    def configs(self) -> list[str]:
        return list(dict.fromkeys(each.config for each in self.found))


def splits_at(repository: Repository, oid: str) -> Splits:
    """The splits of a data set at a commit, by its card or by the names of its files."""
    key = f"table-splits:{VERSION}:{repository.pk}:{oid}"
    kept: Splits | None = cache.get(key)
    if kept is None:
        kept = _find_splits(repository, oid)
        cache.set(key, kept, _KEPT_SECONDS)
    return kept


def _find_splits(repository: Repository, oid: str) -> Splits:
    store = repository.store()
    try:
        paths = store.paths(oid)
    except TooLargeError as error:
        return Splits(problem=str(error))
    data = {}
    if "README.md" in paths:
        try:
            content = store.read(oid, "README.md", limit_bytes=CARD_LIMIT_BYTES)
            data = parse_card(content, repository.kind).data
        except HubError:  # a card that cannot be read configures nothing
            pass
    return Splits(splits_of(paths, data))


def table_at(repository: Repository, oid: str, paths: Sequence[str]) -> Table:
    """The table in these files. Raises: EntryNotFoundError, TableError when one is none."""
    store = repository.store()
    parts = [TablePart.of(store.entry(oid, path)) for path in paths]
    found = tuple(part for part in parts if part is not None)
    if not found or len(found) < len(parts):
        raise TableError("format", "This file is no table that the hub reads.")
    require_parts(repository, found)
    return Table(repository, oid, found)


def split_table(repository: Repository, oid: str, config: str = "", split: str = "") -> Table:
    """The table of a split. Raises: EntryNotFoundError when there is none of that name."""
    found = splits_at(repository, oid).named(config, split)
    if found is None:
        raise EntryNotFoundError("This data set has no such split.")
    return table_at(repository, oid, found.paths)


def facts_of(table: Table) -> TableFacts:
    """What is known of a table; who asks first has it worked out: small ones at once."""
    row = TableFacts.objects.filter(digest=table.digest, version=VERSION).first()
    if row is None:
        row = _worked_out(table) if table.is_small else _asked(table)
    elif row.state == WorkState.FAILED and row.fault == "missing":
        _ask_again(row, table)
    jobs.note_use(row)
    return row


def _new(table: Table) -> TableFacts:
    parts = [part.to_json() for part in table.parts]
    return TableFacts(
        digest=table.digest, version=VERSION, repository=table.repository, parts=parts
    )


def _worked_out(table: Table) -> TableFacts:
    """A small table, worked out here and now; kept like any other."""
    row = _new(table)
    try:
        found = jobs.facts_of(list(table.parts), row)
    except TableError as error:
        row.state, row.error = WorkState.FAILED, {"code": error.fault}
    else:
        row.state = WorkState.DONE
        for name, value in found.items():
            setattr(row, name, value)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # somebody else was first
        return TableFacts.objects.get(digest=table.digest, version=VERSION)
    return row


@transaction.atomic
def _asked(table: Table) -> TableFacts:
    new = _new(table)
    row, created = TableFacts.objects.get_or_create(
        digest=new.digest,
        version=new.version,
        defaults={"repository": new.repository, "parts": new.parts},
    )
    if created:
        ring(work_out_table, row.pk)
    return row


@transaction.atomic
def _ask_again(row: TableFacts, table: Table) -> None:
    """Read it where this reader has it: it is gone from where it was to be read."""
    failed = TableFacts.objects.filter(pk=row.pk, state=WorkState.FAILED, error__code="missing")
    parts = [part.to_json() for part in table.parts]
    if failed.ask_again(repository=table.repository, parts=parts):
        ring(work_out_table, row.pk)
        row.refresh_from_db()

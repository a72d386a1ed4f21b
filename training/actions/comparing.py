"""Two or more models or revisions on the benchmarks they share, each with what is missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from hub.errors import BadInputError, NotFoundError
from hub.models import Kind, RepoId, Repository
from hub.policies import Actor, get_repository, visible_repositories
from training.actions.compare_pairs import (
    Read,
    Unpairable,
    calibration,
    pair,
    read_columns,
    summary,
)
from training.actions.history import digests_of
from training.actions.leaderboards import metric_of, seen_by
from training.jobs.disclosure import open_evaluations, readable_benchmarks
from training.models import Benchmark, Evaluation, Origin, Run, RunKind
from training.policies import may_evaluate, readable_repositories
from training.specs.gate import parse_reference
from training.statistics.multiplicity import holm

LETTERS = "abcdef"
FAMILY_ALPHA = 0.05  # of any false claim among all pairs
SHARED_SHOWN = 30
SUMMARIES_SHOWN = 12  # paired differences worked out for the list of benchmarks
OK, REPORTED, OTHERWISE, ASKED_OTHERWISE, LOOSE, PARTIAL, MISSING = (
    "ok", "reported", "other-settings", "asked-otherwise", "without-items", "partial", "not-run"
)  # fmt: skip
STATES: dict[str, str | Promise] = {
    REPORTED: _("self-reported"),
    OTHERWISE: _("measured with other settings"),
    ASKED_OTHERWISE: _("self-reported, asked in another way"),
    LOOSE: _("self-reported, without item results"),
    PARTIAL: _("not all items were asked"),
    MISSING: _("not run"),
}
REASONS: dict[str, str | Promise] = {
    "no_items": _("The item results of one of them are not at hand."),
    "not_measured": _("One of them was not measured with this metric."),
    "unmatched_items": _("They were not asked the same items."),
    "items_differ": _("What they say of the items themselves does not agree."),
    "asked_otherwise": _("One of them was asked with other prompts or examples."),
    "other_settings": _("They were measured with other settings: run both again to compare them."),
    "missing": _("One of them has not been measured with it."),
    "nothing_shared": _("They have no item in common: finish measuring them."),
}


@dataclass(frozen=True)
class Side:
    """One model at one commit. `digest` is that of its files, empty without weights."""

    letter: str
    repository: Repository
    revision: str
    oid: str
    digest: str

    @property
    def text(self) -> str:
        """`namespace/name@revision`, as addresses name it."""
        at = f"@{self.revision}" if self.revision else ""
        return f"{self.repository.repo_id}{at}"


@dataclass(frozen=True)
class Held:
    """What one side has on one benchmark, and in what state."""

    side: Side
    state: str
    evaluation: Evaluation | None = None
    run: Run | None = None  # one that is on its way

    @property
    def is_comparable(self) -> bool:
        return self.state in (OK, REPORTED)

    @property
    def is_shown(self) -> bool:
        """Whether its items can be looked at beside another's, all of them or a part."""
        return self.is_comparable or self.state == PARTIAL

    @property
    def state_word(self) -> str | Promise:
        return STATES.get(self.state, "")


@dataclass(frozen=True)
class Pair:
    """Two sides on one benchmark: what they say of each other, or why nothing is said.

    Of three sides and more `p_holm` is the p-value of their difference, adjusted for all pairs
    that can be compared, and `better` in the facts is what it leaves.
    """

    first: Held
    second: Held
    facts: dict[str, Any] = field(default_factory=dict)
    why_not: str | Promise = ""
    p_holm: float | None = None

    @property
    def key(self) -> str:
        """`ab`, as addresses name it."""
        return f"{self.first.side.letter}{self.second.side.letter}"


@dataclass
class Shared:
    """A benchmark that at least one side was measured on, with what each side has."""

    benchmark: Benchmark
    held: list[Held]
    summary: Pair | None = None  # of two sides

    @property
    def count(self) -> int:
        return sum(1 for each in self.held if each.evaluation is not None)


@dataclass
class Comparison:
    """The sides, the benchmarks they share, and one of these in full.

    `may_read`: whether the reader may see single items of it. `calibrations` has those of the
    sides, in their order.
    """

    sides: list[Side]
    shared: list[Shared]
    chosen: Shared | None = None
    metric: dict[str, Any] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    calibrations: list[dict[str, Any] | None] = field(default_factory=list)
    may_read: bool = False


def read_sides(actor: Actor, texts: Iterable[str]) -> list[Side]:
    """The models that `namespace/name@revision` name, each once.

    Raises: BadInputError for more than six or a name that is none, and the not-found errors.
    """
    wanted = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if len(wanted) > len(LETTERS):
        raise BadInputError(f"At most {len(LETTERS)} models are compared at a time.")
    return [_side(actor, letter, text) for letter, text in zip(LETTERS, wanted, strict=False)]


def _side(actor: Actor, letter: str, text: str) -> Side:
    name, _at, revision = text.partition("@")
    repository = get_repository(actor, RepoId.parse(Kind.MODEL, name.strip()))
    oid = repository.store().resolve(revision.strip() or repository.default_branch)
    digest = digests_of(repository, [oid])[oid]
    return Side(letter, repository, revision.strip(), oid, digest)


def compare_sides(
    actor: Actor, sides: Sequence[Side], *, benchmark: str = "", digest: str = "", metric: str = ""
) -> Comparison:
    """What the sides share, and on `benchmark` (else the first) everything about each pair.

    Raises: BadInputError, NotFoundError: the benchmark or its metric is none, or not for this
    reader.
    """
    rows = _evaluations(actor, sides)
    found = Comparison(list(sides), _shared(sides, rows))
    wanted = _wanted(actor, found.shared, benchmark, digest)
    found.shared = found.shared[:SHARED_SHOWN]
    if wanted is None:
        return found
    if all(each.benchmark.digest != wanted.digest for each in found.shared):
        found.shared.insert(0, Shared(wanted, _held(sides, [])))
    found.chosen = next(s for s in found.shared if s.benchmark.digest == wanted.digest)
    found.chosen.benchmark = wanted
    found.metric = metric_of(wanted, metric)
    found.chosen.held = _with_runs(actor, found.chosen)
    found.may_read = _may_read(actor, wanted, sides)
    found.pairs = _pairs(found.chosen, found.metric)
    found.calibrations = [
        calibration(each.evaluation) if each.evaluation and each.is_shown else None
        for each in found.chosen.held
    ]
    for shared in found.shared[:SUMMARIES_SHOWN] if len(sides) == 2 else []:
        shared.summary = _summary(shared)
    return found


def shared_scores(actor: Actor, sides: Sequence[Side]) -> Comparison:
    """What was measured of the sides, benchmark by benchmark, without looking at items."""
    shared = _shared(sides, _evaluations(actor, sides))
    return Comparison(list(sides), shared[:SHARED_SHOWN])


def _may_read(actor: Actor, benchmark: Benchmark, sides: Sequence[Side]) -> bool:
    """Whether single items may be shown: the data sets and the files of every model are open."""
    if benchmark.pk not in readable_benchmarks(actor, [benchmark]):
        return False
    models = {side.repository.pk for side in sides}
    return models <= readable_repositories(actor, models)


def _evaluations(actor: Actor, sides: Sequence[Side]) -> list[Evaluation]:
    """Everything measured of exactly these models, on benchmarks that the reader may see."""
    named = Q()
    for side in sides:
        if side.digest:
            named |= Q(repository=side.repository.pk, model_digest=side.digest)
    if not named:
        return []
    places = visible_repositories(actor)
    rows = Evaluation.objects.filter(named, benchmark__repository__in=places.values("pk"))
    related = ("benchmark__repository__namespace", "benchmark__items_repository")
    found = list(rows.select_related(*related).order_by("-pk"))
    seen = {row.pk for row in seen_by(actor, {row.benchmark for row in found})}
    return open_evaluations(actor, [row for row in found if row.benchmark_id in seen])


def _shared(sides: Sequence[Side], rows: Sequence[Evaluation]) -> list[Shared]:
    """Every benchmark digest with what each side has, those that most sides have first."""
    by_digest: defaultdict[str, list[Evaluation]] = defaultdict(list)
    for row in rows:
        by_digest[row.benchmark_digest].append(row)
    found = [Shared(each[0].benchmark, _held(sides, each)) for each in by_digest.values()]
    found.sort(key=lambda shared: (-shared.count, shared.benchmark.label.lower()))
    return found


def _held(sides: Sequence[Side], rows: Sequence[Evaluation]) -> list[Held]:
    """What each side has on one benchmark, with the settings that most of them share."""
    own = {side.letter: [row for row in rows if _is_of(row, side)] for side in sides}
    counts = Counter(
        protocol
        for found in own.values()
        for protocol in {row.protocol_digest for row in found if _is_verified(row)}
    ) or Counter(
        row.protocol_digest for found in own.values() for row in found if row.origin == Origin.HERE
    )
    newest = {row.protocol_digest: row.pk for row in reversed(rows)}
    usual = max(counts, key=lambda name: (counts[name], newest[name]), default="")
    return [_best(side, own[side.letter], usual) for side in sides]


def _is_of(row: Evaluation, side: Side) -> bool:
    return (row.repository_id, row.model_digest) == (side.repository.pk, side.digest)


def _is_verified(row: Evaluation) -> bool:
    return row.origin == Origin.HERE and row.is_whole


def _best(side: Side, rows: Sequence[Evaluation], usual: str) -> Held:
    """The evaluation that says most: verified with the usual settings, reported item by item,
    in part, with other settings, without items."""
    best: tuple[tuple[int, int], Held] | None = None
    order = (OK, REPORTED, PARTIAL, OTHERWISE, ASKED_OTHERWISE, LOOSE)
    for row in rows:
        row.repository = side.repository
        state = _state(row, usual)
        worth = (-order.index(state), row.pk)
        if best is None or worth > best[0]:
            best = worth, Held(side, state, row)
    return best[1] if best else Held(side, MISSING)


def _state(row: Evaluation, usual: str) -> str:
    if row.origin == Origin.REPORTED:
        if not row.items_sha256 or not row.is_whole:
            return LOOSE
        return ASKED_OTHERWISE if row.source.get("asked") == "otherwise" else REPORTED
    if row.protocol_digest != usual:
        return OTHERWISE
    return OK if row.is_whole else PARTIAL


def _wanted(
    actor: Actor, shared: Sequence[Shared], benchmark: str, digest: str
) -> Benchmark | None:
    """The benchmark that is asked for, else the one that most sides have."""
    if not benchmark.strip():
        return shared[0].benchmark if shared else None
    reference = parse_reference(benchmark.strip(), "benchmark")
    place = get_repository(actor, RepoId.parse(Kind.DATASET, reference.repo_id))
    rows = Benchmark.objects.at(place.pk, reference.path)
    related = ("repository__namespace", "items_repository")
    found = seen_by(actor, rows.select_related(*related)[:50])
    if digest:
        found = [row for row in found if row.digest.startswith(digest)]
    else:  # of its digests the one that the sides have, else the newest
        held = {each.benchmark.digest for each in shared}
        found.sort(key=lambda row: row.digest in held, reverse=True)
    if not found:
        raise NotFoundError(f"There is no measured benchmark {reference}, or you may not see it.")
    return found[0]


def _with_runs(actor: Actor, shared: Shared) -> list[Held]:
    """What each side has, with the run that will fill a gap, where one is on its way."""
    gaps = [each.side.repository.pk for each in shared.held if not each.is_comparable]
    if not gaps:
        return shared.held
    place = {"repository_id": shared.benchmark.repository_id, "path": shared.benchmark.path}
    rows = Run.objects.live().filter(
        repository__in=gaps, kind=RunKind.EVALUATE, spec__benchmarks__contains=[place]
    )
    runs = list(rows.order_by("-pk"))
    found = []
    for each in shared.held:
        own = [run for run in runs if _is_measuring(run, each.side)]
        if own and not each.is_comparable:
            own[0].repository = each.side.repository
            each = Held(each.side, each.state, each.evaluation, own[0])
        found.append(each)
    return found


def _is_measuring(run: Run, side: Side) -> bool:
    digests = {given.get("digest") for given in run.inputs("model")}
    return run.repository_id == side.repository.pk and side.digest in digests


def _pairs(shared: Shared, metric: dict[str, Any]) -> list[Pair]:
    """Every side against every later one; the items of each are read once."""
    read = cache(read_columns)
    found = [_pair(shared.benchmark, *two, metric, read) for two in combinations(shared.held, 2)]
    return _with_holm(found) if len(found) > 1 else found


def _pair(
    benchmark: Benchmark, first: Held, second: Held, metric: dict[str, Any], read: Read
) -> Pair:
    if why := _why_not(first, second):
        return Pair(first, second, why_not=REASONS[why])
    try:
        facts = pair(benchmark, first.evaluation, second.evaluation, metric, read)  # type: ignore[arg-type]
    except Unpairable as error:
        return Pair(first, second, why_not=REASONS.get(str(error), str(error)))
    return Pair(first, second, facts)


def _with_holm(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with what is claimed after Holm over those that can be compared."""
    adjusted = iter(holm([each.facts["test"]["p"] for each in pairs if each.facts]))
    found = []
    for each in pairs:
        if each.facts:
            p_value = next(adjusted)
            better = each.facts["test"]["leader"] if p_value <= FAMILY_ALPHA else ""
            each = replace(each, facts=each.facts | {"better": better}, p_holm=p_value)
        found.append(each)
    return found


def _why_not(first: Held, second: Held) -> str:
    states = {first.state, second.state}
    if OTHERWISE in states:
        return "other_settings"
    if ASKED_OTHERWISE in states:
        return "asked_otherwise"
    if LOOSE in states:
        return "no_items"
    return "missing" if MISSING in states else ""


def _summary(shared: Shared) -> Pair:
    """The difference of two sides on one benchmark of the list."""
    first, second = shared.held
    if _why_not(first, second):
        return Pair(first, second)
    metric = shared.benchmark.metric_named("")
    try:
        facts = summary(shared.benchmark, first.evaluation, second.evaluation, metric)  # type: ignore[arg-type]
    except Unpairable:
        facts = {}
    return Pair(first, second, facts)


def may_run(actor: Actor, held: Held) -> bool:
    """Whether `actor` may have the gap filled, and nothing is at it."""
    gap = held.evaluation is None or not held.is_comparable
    return gap and held.run is None and may_evaluate(actor, held.side.repository)


def address(sides: Iterable[Side], **more: str) -> list[tuple[str, str]]:
    """The query of a compare page, as pairs."""
    named = [(side.letter, side.text) for side in sides]
    return [*named, *((key, value) for key, value in more.items() if value)]


def texts_of(query: Mapping[str, Any]) -> list[str]:
    """The sides that a query names: a, b, c … and `m`, which comes once for each."""
    named = [query.get(letter) or "" for letter in LETTERS]
    several = query.getlist("m") if hasattr(query, "getlist") else []
    return [str(text)[:400] for text in [*named, *several]]

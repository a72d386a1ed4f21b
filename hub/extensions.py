"""Registries that features fill, so that they meet without knowing each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True)
class Tab:
    """One tab of a repository's page."""

    key: str
    label: Any
    url: str
    count: int | None = None


@dataclass(frozen=True)
class Change:
    """A pull request as features see it: exact oids, never names that move.

    `memo` is for what a feature has looked up about it: one page asks for the same in many places.
    It lives as long as this object, which is made anew for every request.
    """

    number: int
    path: str
    author_id: int
    target_branch: str
    head_oid: str
    base_oid: str  # the head of the target branch that a merge would build on
    merge_tree: str | None = None  # the tree of the merge result; None when it conflicts
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


class RequirementState(StrEnum):
    MET = "met"
    UNMET = "unmet"
    RUNNING = "running"
    FAILED = "failed"
    STALE = "stale"


@dataclass(frozen=True)
class Requirement:
    """One line of the merge checklist, with the one action that meets it."""

    key: str
    label: Any
    state: RequirementState
    detail: Any = ""
    action_label: Any = ""
    action_path: str = ""
    action_is_post: bool = False
    # A machine says whether it is met: `Registries.starters` ask it.
    by_machine: bool = False
    # `detail` says what was measured. Who may know that can change: it is read, never written down.
    tells_scores: bool = False

    @property
    def blocks(self) -> bool:
        return self.state is not RequirementState.MET

    @property
    def is_startable(self) -> bool:
        """Whether a machine would say more of it if it were asked."""
        open_states = (RequirementState.UNMET, RequirementState.STALE)
        return self.by_machine and self.state in open_states

    @property
    def needs_person(self) -> bool:
        """Whether waiting will not meet it: somebody has to do something first."""
        is_under_way = self.is_startable or self.state is RequirementState.RUNNING
        return self.blocks and not is_under_way


@dataclass(frozen=True)
class Proposal:
    """A pull request that was opened on someone's behalf."""

    number: int
    path: str
    ref: str


@dataclass(frozen=True)
class Finding:
    """One place where database, git and object store disagree."""

    check: str
    subject: str
    problem: str


class Proposer(Protocol):
    def __call__(
        self,
        repository: Any,
        *,
        by: Any,
        title: str,
        description: str,
        head_oid: str,
        target_branch: str,
        draft: bool = False,
    ) -> Proposal: ...


@dataclass(frozen=True)
class PullRequestTab:
    """A tab of a pull request's page: `template` is rendered with what `context` returns."""

    key: str
    label: Any
    template: str
    context: Callable[[Any, Change, Any], dict[str, Any]]  # (repository, change, request)
    count: Callable[[Any, Change], int | None] = lambda repository, change: None
    is_shown: Callable[[Any, Change], bool] = lambda repository, change: True


@dataclass(frozen=True)
class Panel:
    """A part of a repository's first page: `template` is rendered with what `context` returns."""

    template: str
    context: Callable[[Any, Any], dict[str, Any]]  # (repository, request); {} hides the panel
    is_aside: bool = False


@dataclass(frozen=True)
class QuickScore:
    """What one commit scored at a quick look, in words: its interval, and the difference from the
    first commit over the same items. `loss` is None where the benchmark knows none."""

    score: str
    interval: str = ""
    difference: str = ""
    loss: float | None = None


@dataclass(frozen=True)
class QuickBenchmark:
    """A benchmark of a quick look: `scores` by commit, `loss_unit` in words."""

    label: str
    metric: str
    items: int
    of_items: int
    scores: dict[str, QuickScore]
    loss_unit: str = ""
    is_hidden: bool = False


@dataclass(frozen=True)
class QuickLook:
    """Some commits on a few items each: never a verdict. `path` and `state` are the newest run's,
    `benchmarks` what the newest one that succeeded has found."""

    path: str
    state: str
    is_live: bool
    benchmarks: list[QuickBenchmark] = field(default_factory=list)


@dataclass(frozen=True)
class Notable:
    """How one kind of event is told to people: `thread` is the folder of its pages, `reason` why
    it reaches those who take part. What a machine did is told to the person it worked for."""

    thread: str
    reason: str = "comment"
    by_machine: bool = False
    only_asked: bool = False  # those alone whom `Threads.asked` names
    is_told: Callable[[Any], bool] = lambda event: True


@dataclass(frozen=True)
class Threads:
    """What a feature knows of its threads: repository and number, or the event."""

    participants: Callable[[Any, int], dict[int, str]]  # keys of people, each with the reason
    title: Callable[[Any, int], str]
    said: Callable[[Any], str] = lambda event: ""  # the text of an event, which may name people
    # keys of those whom an event asks for something, each with the reason
    asked: Callable[[Any], dict[int, str]] = lambda event: {}


@dataclass(frozen=True)
class FileReader:
    """How to tell what is in a file of one format: plain JSON values, true of its bytes for ever.

    `read` gets the file at its start and its size; it may refuse with a HubError. Files of up to
    `at_once_bytes` are read while somebody waits, larger ones by a worker. `version` is that of
    what it tells. A refusal is kept as its text; `say` puts that into the reader's language.
    """

    read: Callable[[Any, int], Any]
    version: int
    at_once_bytes: int
    say: Callable[[str], str] = str


@dataclass(frozen=True)
class TensorPlace:
    """One tensor of a stored file, as its header has it."""

    entry: Any  # the file's hub.gitstore.Entry
    name: str


@dataclass(frozen=True)
class TensorStatistics:
    """What a worker has found in a tensor, and how to show it; `told` is empty until then."""

    state: str
    is_settled: bool
    told: Any = None
    error: Any = ""


@dataclass(frozen=True)
class ComparedSide:
    """One side of a comparison, whose files the reader may read."""

    repository: Any
    revision: str
    oid: str

    @property
    def text(self) -> str:
        """`[datasets/]namespace/name@revision`, as addresses name it."""
        return f"{self.repository.path}@{self.revision}"


@dataclass(frozen=True)
class ComparisonPanel:
    """What a feature knows of two sides: `template` is rendered with what `context` returns.

    The page leads to it by `heading`, at the element with the id `anchor`.
    """

    template: str
    # (actor, base, candidate); {} hides the panel
    context: Callable[[Any, ComparedSide, ComparedSide], dict[str, Any]]
    anchor: str
    heading: Any


def _no_statistics(repository: Any, place: TensorPlace, asked_by: Any) -> TensorStatistics | None:
    return None


def _nothing_measured(repository: Any, actor: Any, change: Change, oids: Iterable[str]) -> str:
    raise RuntimeError("No app measures models: add `training` to INSTALLED_APPS.")


@dataclass(frozen=True)
class ScoreChoice:
    """A benchmark that models can be found by. `hint` says which way is better."""

    key: str
    label: str
    hint: Any = ""


@dataclass(frozen=True)
class PullRequestHit:
    """A pull request as the palette names it."""

    title: str
    repo_id: str
    path: str


@dataclass
class Registries:
    """What features have filled in, read by the hub's doors and actions."""

    # name -> a number of each repository, as an expression over its row. Pages show it in their
    # frame: it comes with the row of `get_repository`, as its `number_of(name)`.
    repository_numbers: dict[str, Callable[[], Any]] = field(default_factory=dict)
    # (repository) -> tabs of its page
    repository_tabs: list[Callable[[Any], Iterable[Tab]]] = field(default_factory=list)
    repository_panels: list[Panel] = field(default_factory=list)
    # (repository, request) -> what the one who looks may do with its lineage: (label, address)
    lineage_actions: list[Callable[[Any, Any], Iterable[tuple[Any, str]]]] = field(
        default_factory=list
    )
    # (repository) -> keys of the data sets that runs taught this model with
    taught_with: list[Callable[[Any], Iterable[int]]] = field(default_factory=list)
    # (repository, change) -> lines of the merge checklist
    requirements: list[Callable[[Any, Change], Iterable[Requirement]]] = field(default_factory=list)
    # (repository as the person holds it, change, person): start what a machine has still to say of
    # exactly this change; nothing where that is under way or known. Raises: HubError.
    starters: list[Callable[[Any, Change, Any], None]] = field(default_factory=list)
    # (repository, change) -> files that the merge commit adds or replaces, by path
    merge_files: list[Callable[[Any, Change], dict[str, bytes]]] = field(default_factory=list)
    # (repository, change) -> {"sentence", "state", …} shown as the banner, or None
    verdicts: list[Callable[[Any, Change], dict[str, Any] | None]] = field(default_factory=list)
    pull_request_tabs: list[PullRequestTab] = field(default_factory=list)
    # (repository, number, user) -> may this person move refs/pr/number
    may_push_proposal: Callable[[Any, int, Any], bool] = lambda repository, number, user: False
    proposer: Proposer | None = None
    # (repository, number) -> the undecided pull request as it stands now, merge tree included
    find_change: Callable[[Any, int], Change | None] = lambda repository, number: None
    # (repository) -> number and title of each undecided pull request, the newest first
    open_pull_requests: Callable[[Any], list[tuple[int, str]]] = lambda repository: []
    # action of the audit trail -> how its subject reads (a pattern with names), and the sentence
    audit_sentences: dict[str, tuple[str, Any]] = field(default_factory=dict)
    # (repository, oids) -> the pull request whose merge made each of these commits
    merged_by: Callable[[Any, Iterable[str]], dict[str, int]] = lambda repository, oids: {}
    # (repository, number, by, text): say something there, within the caller's transaction
    commenter: Callable[[Any, int, Any, str], None] = lambda repository, number, by, text: None

    # (repository, number, before, after): where a machine said exactly `before`, it says `after`
    comment_rewriter: Callable[[Any, int, str, str], None] = lambda repository, number, a, b: None
    # (repository, oid of the target) -> the labels of what its rule lets a quick look ask
    quick_labels: Callable[[Any, str], list[str]] = lambda repository, oid: []
    # (repository, actor, change, commits, the first to compare with) -> the path of the run
    measure_quickly: Callable[[Any, Any, Change, Iterable[str]], str] = _nothing_measured
    # (repository, change) -> what the newest quick look at its target says
    quick_look: Callable[[Any, Change], QuickLook | None] = lambda repository, change: None

    # kind of an event -> how people are told of it
    notable: dict[str, Notable] = field(default_factory=dict)
    # folder of threads below a repository -> what is known of them
    threads: dict[str, Threads] = field(default_factory=dict)
    # the one who looks -> undecided pull requests that wait for their review
    # (`is_asked`) and their own, the newest first, as rows with title, number, url, repo_id,
    # is_draft, and `state` of the verdict, "" when there is none yet
    own_pull_requests: Callable[[Any], list[dict[str, Any]]] = lambda actor: []
    # the one who looks -> their live runs, likewise, with status
    own_runs: Callable[[Any], list[dict[str, Any]]] = lambda actor: []
    # What is in a file, by the name of its format
    file_readers: dict[str, FileReader] = field(default_factory=dict)
    # (repository, tensor, the person who asks for them, or None) -> what is known of its numbers
    tensor_statistics: Callable[[Any, TensorPlace, Any], TensorStatistics | None] = _no_statistics
    comparison_panels: list[ComparisonPanel] = field(default_factory=list)

    # (user, visible repositories) -> how many discussions and pull requests they opened there
    count_discussions: Callable[[Any, Any], int] = lambda user, repositories: 0
    # (actor) -> benchmarks by whose verified scores `actor` may search
    score_choices: Callable[[Any], list[ScoreChoice]] = lambda actor: []
    # (actor, key of a choice, least, most) -> verified scores by repository, as number and in words
    scores: Callable[[Any, str, float | None, float | None], dict[int, tuple[float, str]]] = (
        lambda actor, key, least, most: {}
    )
    # (actor, text, most) -> undecided pull requests of theirs whose title holds `text`
    my_pull_requests: Callable[[Any, str, int], list[PullRequestHit]] = lambda actor, text, most: []
    # (repository, deep) -> what is wrong with a feature's own rows of it
    integrity_checks: list[Callable[[Any, bool], Iterable[Finding]]] = field(default_factory=list)


registries = Registries()


def propose(
    repository: Any,
    *,
    by: Any,
    title: str,
    description: str,
    head_oid: str,
    target_branch: str,
    draft: bool = False,
) -> Proposal:
    """Open a pull request whose head is the commit `head_oid`, already in the repository."""
    if registries.proposer is None:
        raise RuntimeError("No app opens pull requests: add `reviews` to INSTALLED_APPS.")
    return registries.proposer(
        repository,
        by=by,
        title=title,
        description=description,
        head_oid=head_oid,
        target_branch=target_branch,
        draft=draft,
    )

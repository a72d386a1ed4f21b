"""Reading and writing the rule of a branch: `.weighbridge/gate.yaml`, by a form or as text.

A rule that could not be asked, or could not decide, is not saved. It is committed alone, so that
no change can bring its own judge (threat M3); to a protected branch it is proposed.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.actions.commits import Committed, commit_files
from hub.actions.refs import target_ref
from hub.errors import (
    BadInputError,
    BranchMovedError,
    ConflictError,
    ForbiddenError,
    RevisionNotFoundError,
)
from hub.gitstore import AddFile
from hub.models import Access, BranchProtection, Kind, Repository, TokenScope
from hub.policies import Actor, require_person
from training.actions.choosing import Choice, choices
from training.actions.gate_power import RulePower, count_items, power_of, require_decided
from training.actions.gate_rules import GATE_LIMIT_BYTES, rule_at
from training.actions.pinning import pin_benchmark
from training.specs.gate import GATE_PATH, BlindRule, GateConfig, parse_gate
from training.statistics.preference import MINIMUM_ITEMS

TITLE = "Change what a merge must show"
FIRST_TITLE = "Say what a merge must show"
PROMPTS = "generate_until"
ATTEMPTS = 4


@dataclass(frozen=True)
class Rule:
    """The rule of a branch as it stands there: `text` is None where there is no file."""

    branch: str
    head_oid: str
    is_protected: bool
    text: str | None
    config: GateConfig | None = None
    problem: str = ""


class RuleChangedError(ConflictError):
    """Somebody else has changed the rule meanwhile; `rule` is the one that stands there now."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(
            f"The rule of {rule.branch} has changed since you opened it: look at it, then save "
            "again."
        )
        self.rule = rule


def branches_of(repository: Repository) -> list[str]:
    """The branches that may have a rule, the default one first."""
    refs = [ref for ref in repository.store().refs() if ref.name.startswith("refs/heads/")]
    names = [ref.short_name for ref in refs]
    return sorted(names, key=lambda name: (name != repository.default_branch, name))


def read_rule(repository: Repository, branch: str) -> Rule:
    """The rule of `branch` as it is now. Raises: RevisionNotFoundError, BadInputError."""
    if repository.kind != Kind.MODEL:
        raise BadInputError("Only models have a gate: open a model and set its rule there.")
    head = repository.store().branch_head(branch)
    if head is None:
        raise RevisionNotFoundError(f"{repository.repo_id} has no branch {branch[:200]!r}.")
    return _rule(repository, branch, head)


def _rule(repository: Repository, branch: str, head: str) -> Rule:
    protected = BranchProtection.objects.of_branch(repository, branch) is not None
    content = rule_at(repository, head)
    if content is None:
        return Rule(branch, head, protected, None)
    text = content.decode("utf-8", "replace")
    try:
        return Rule(branch, head, protected, text, parse_gate(content))
    except BadInputError as error:
        return Rule(branch, head, protected, text, problem=str(error))


def offered_benchmarks(repository: Repository, actor: Actor) -> list[Choice]:
    """The benchmarks that this person may name here, those of the model's namespace first."""
    return choices(actor, repository, model_digest="", settings_digest="")


def check_rule(repository: Repository, config: GateConfig, actor: Actor, rule: Rule) -> RulePower:
    """What `config` can show on the branch of `rule`. Raises: BadInputError if it cannot decide."""
    power = power_of(repository, config, actor, is_protected=rule.is_protected)
    require_decided(power)
    if config.blind is not None:
        _require_prompts(repository, config.blind, actor)
    return power


def _require_prompts(repository: Repository, blind: BlindRule, actor: Actor) -> None:
    """Refuse prompts that nobody can judge blindly. Raises: BadInputError, not-found errors."""
    named = blind.reference
    pinned, _inputs = pin_benchmark(named, actor, named_by=repository)
    if pinned.definition.output_type != PROMPTS:
        raise BadInputError(
            f"blind: {named} is answered by {pinned.definition.output_type}: name a benchmark "
            f"whose output_type is {PROMPTS}, so that there are texts to judge."
        )
    items = count_items(pinned)
    count = blind.limit if items is None else min(items, blind.limit)
    if count < MINIMUM_ITEMS:
        raise BadInputError(
            f"blind: {named} gives {count} prompts and cannot decide: it needs at least "
            f"{MINIMUM_ITEMS}."
        )


def save_rule(
    repository: Repository,
    actor: Actor,
    *,
    branch: str,
    text: str,
    expected_head: str = "",
    title: str = "",
    description: str = "",
    propose: bool = False,
) -> Committed:
    """Commit `text` as the rule of `branch`, or open a pull request with it.

    A protected branch only takes proposals. `expected_head` is the commit that the writer looked
    at: what else has changed since then does not matter, another rule does.
    Raises:
        UnauthenticatedError, ForbiddenError: without write access, or a token that writes.
        BadInputError: what `parse_gate` and `check_rule` refuse.
        RuleChangedError: the rule is another one by now. BranchMovedError: the branch is busy.
    """
    require_person(actor, scope=TokenScope.WRITE)
    require_writing(repository)
    content = text.replace("\r\n", "\n").encode()
    if len(content) > GATE_LIMIT_BYTES:
        raise BadInputError(f"{GATE_PATH} holds at most {GATE_LIMIT_BYTES} bytes: shorten it.")
    target_ref(repository.store(), branch)
    seen = read_rule(repository, branch)
    check_rule(repository, parse_gate(content), actor, seen)
    before = _text_at(repository, expected_head) if expected_head else seen.text
    for _attempt in range(ATTEMPTS):
        now = read_rule(repository, branch)
        if now.text != before:
            raise RuleChangedError(now)
        try:
            return commit_files(
                repository,
                actor,
                revision=branch,
                operations=[AddFile(GATE_PATH, content)],
                title=title.strip() or (FIRST_TITLE if now.text is None else TITLE),
                description=description,
                parent=now.head_oid,
                create_pr=propose or now.is_protected,
            )
        except BranchMovedError:
            continue
    raise BranchMovedError


def _text_at(repository: Repository, oid: str) -> str | None:
    """The rule at the commit that somebody looked at. Raises: RevisionNotFoundError."""
    content = rule_at(repository, repository.store().resolve(oid))
    return None if content is None else content.decode("utf-8", "replace")


def require_writing(repository: Repository) -> None:
    """Raise ForbiddenError unless the one it was fetched for may write to it."""
    if not repository.may(Access.WRITE):
        raise ForbiddenError(
            f"Setting the gate needs write access to {repository.repo_id}: ask a maintainer."
        )

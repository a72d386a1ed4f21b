"""Judging at the blind desk: what one person sees there, and what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.core import signing
from django.db import transaction
from django.utils.translation import gettext as _

from hub.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError
from hub.extensions import Change, registries
from hub.models import Access, Repository, TokenScope, User
from hub.policies import Actor, access_of, require_person
from training.actions.blind import (
    Desk,
    DeskState,
    Outcome,
    candidate_is_first,
    desk_of,
    order_for,
    votes_on,
)
from training.jobs.questions import questions_at
from training.models import BlindChoice, BlindVote
from training.policies import readable_repositories

SALT = "training.blind"
FIRST, SECOND, TIE = "first", "second", "tie"
SAID = (FIRST, SECOND, TIE)
TEXT_LIMIT = 20_000


@dataclass(frozen=True)
class Prompt:
    """What is judged now. `token` names it to the desk; nothing here tells the sides apart."""

    token: str
    number: int
    text: str
    first: str
    second: str

    @property
    def is_same(self) -> bool:
        """Both answers are one text: nothing but a tie can be said of it."""
        return self.first == self.second


@dataclass(frozen=True)
class Seat:
    """The desk as one person meets it.

    `judged` of `total` prompts are theirs already. `outcome` is shown once no judgement of theirs
    can be biased by it: when the review is decided, or to people who do not judge.
    """

    state: DeskState
    may_judge: bool
    why_not: str
    judged: int
    total: int
    given: int
    needed: int
    prompt: Prompt | None = None
    may_undo: bool = False
    outcome: Outcome | None = None
    reviewers: list[tuple[str, int]] = field(default_factory=list)


def seat_of(desk: Desk, actor: Actor, *, is_settled: bool = False) -> Seat:
    """What `actor` sees of the review: their next prompt, or how it stands.

    `is_settled`: the pull request is merged or closed, and nothing is judged any more.
    """
    why_not = _("This pull request is settled.") if is_settled else ""
    why_not = why_not or reason_not_to_judge(desk, actor)
    mine = _own_votes(desk, actor) if not why_not else []
    order = order_for(desk, _pk(actor)) if not why_not and desk.state is DeskState.OPEN else []
    judged = {vote.item_id for vote in mine}
    left = [item for item in order if item not in judged]
    shows = desk.state.is_decided or bool(why_not) or (bool(order) and not left)
    return Seat(
        state=desk.state,
        may_judge=not why_not,
        why_not=why_not,
        judged=len(mine),
        total=len(desk.prompts) if not why_not else 0,
        given=len(desk.votes),
        needed=desk.needed,
        prompt=_prompt(desk, actor, left[0], len(mine) + 1) if left else None,
        may_undo=bool(mine) and _is_open_to_undo(desk, mine[-1]),
        outcome=desk.outcome if shows else None,
        reviewers=sorted(Counter(vote.reviewer.username for vote in desk.votes).items()),
    )


def reason_not_to_judge(desk: Desk, actor: Actor) -> str:
    """Why `actor` is none of those who may judge; empty for those who may.

    That is who may approve the change, and may read the prompts (threats M1, M5).
    """
    user = actor.person
    if user is None:
        return _("Sign in to judge: people with write access other than the author do.")
    if user.pk == desk.change.author_id:
        return _("You propose this change, so others judge it.")
    if actor.ceiling < Access.WRITE or access_of(user, desk.repository) < Access.WRITE:
        return _("People with write access other than the author judge.")
    if desk.benchmark is None:
        return ""
    needed = {desk.benchmark.repository_id, desk.benchmark.items_repository_id}
    if not needed <= readable_repositories(actor, needed):
        return _("You may not read the data set of the prompts.")
    return ""


def _own_votes(desk: Desk, actor: Actor) -> list[BlindVote]:
    if desk.benchmark is None:
        return []
    return list(votes_on(desk).filter(reviewer=actor.user.pk).order_by("pk"))


def _pk(actor: Actor) -> int:
    """Whose order of prompts and sides it is; nobody who is not signed in sees one."""
    return actor.person.pk if actor.person else 0


def _prompt(desk: Desk, actor: Actor, item: str, number: int) -> Prompt:
    base, candidate = (text[:TEXT_LIMIT] for text in desk.answers[item])
    first, second = base, candidate
    if candidate_is_first(desk, _pk(actor), item):
        first, second = candidate, base
    return Prompt(_token(desk, _pk(actor), item), number, _text(desk, item), first, second)


def _text(desk: Desk, item: str) -> str:
    place = desk.places.get(item)
    if desk.benchmark is None or place is None:
        return ""
    return questions_at(desk.benchmark, [place])[place].prompt


def _token(desk: Desk, reviewer_id: int, item: str) -> str:
    return signing.dumps(_named(desk, reviewer_id) | {"item": item}, salt=SALT)


def _named(desk: Desk, reviewer_id: int) -> dict[str, Any]:
    """Whose judgement of which change a token is."""
    return {
        "repository": desk.repository.pk,
        "number": desk.change.number,
        "head": desk.change.head_oid,
        "base": desk.change.base_oid,
        "benchmark": desk.benchmark.pk if desk.benchmark else 0,
        "reviewer": reviewer_id,
    }


@transaction.atomic
def cast_vote(repository: Repository, number: int, actor: Actor, *, token: str, said: str) -> None:
    """Write down one judgement; the same one again changes nothing.

    Args:
        said: `first`, `second` or `tie`, of the answers as this person saw them.
    Raises:
        UnauthenticatedError, ForbiddenError: who may not judge. NotFoundError: no such review.
        BadInputError: a token that the desk did not give to this person, or another word.
        ConflictError: the change has moved on, or the review is decided.
    """
    desk, user = _desk_for(repository, number, actor)
    if said not in SAID:
        raise BadInputError(f"choice is {said[:40]!r}: say first, second or tie.")
    item = _item(desk, user, token)
    if item not in desk.prompts:
        raise ConflictError("This prompt is no longer judged: reload the page.")
    _take_turn(repository)
    if desk.state is not DeskState.OPEN:
        raise ConflictError("The blind review of this version takes no more judgements.")
    vote = BlindVote(
        repository=repository,
        pull_request_number=number,
        head_oid=desk.change.head_oid,
        base_oid=desk.change.base_oid,
        benchmark=desk.benchmark,
        item_id=item,
        reviewer=user,
        choice=_choice(desk, user, item, said),
    )
    # Sent twice, at once or again: the first one stands.
    BlindVote.objects.bulk_create([vote], ignore_conflicts=True)


def _choice(desk: Desk, user: User, item: str, said: str) -> BlindChoice:
    """Which side was meant."""
    base, candidate = desk.answers[item]
    if said == TIE:
        return BlindChoice.TIE
    if base == candidate:
        raise BadInputError("Both answers are the same text: only a tie can be said of them.")
    is_candidate = candidate_is_first(desk, user.pk, item) == (said == FIRST)
    return BlindChoice.CANDIDATE if is_candidate else BlindChoice.BASE


def _take_turn(repository: Repository) -> None:
    """One judgement at a time, so that none is taken back once a look has counted it."""
    Repository.objects.select_for_update(no_key=True).only("pk").get(pk=repository.pk)


@transaction.atomic
def undo_vote(repository: Repository, number: int, actor: Actor) -> None:
    """Take back this person's last judgement, as long as no look has counted it.

    Raises: what `cast_vote` raises; ConflictError also when there is none to take back.
    """
    desk, _user = _desk_for(repository, number, actor)
    _take_turn(repository)
    mine = _own_votes(desk, actor)
    if not mine:
        raise ConflictError("There is no judgement of yours to take back.")
    if not _is_open_to_undo(desk, mine[-1]):
        raise ConflictError("Your last judgement has been counted: it stands.")
    mine[-1].delete()


def _is_open_to_undo(desk: Desk, vote: BlindVote) -> bool:
    """Whether no look has counted `vote` yet: then its effect on the result is still unseen."""
    looked_at = len(desk.votes) // desk.rule.votes * desk.rule.votes
    counted = {each.pk for each in desk.votes[:looked_at]}
    return desk.state is DeskState.OPEN and vote.pk not in counted


def _desk_for(repository: Repository, number: int, actor: Actor) -> tuple[Desk, User]:
    user: User = require_person(actor, scope=TokenScope.WRITE)
    change: Change | None = registries.find_change(repository, number)
    desk = desk_of(repository, change) if change else None
    if desk is None:
        raise NotFoundError(f"Pull request {number} of {repository.repo_id} asks for no judgement.")
    if why_not := reason_not_to_judge(desk, actor):
        raise ForbiddenError(why_not)
    return desk, user


def _item(desk: Desk, user: User, token: str) -> str:
    """The item that `token` names, if the desk gave it to this person for this change."""
    try:
        named = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        named = None
    wanted = _named(desk, user.pk)
    if not isinstance(named, dict) or named.get("reviewer") != user.pk:
        raise BadInputError("The desk has not asked you for this judgement: reload the page.")
    item = str(named.pop("item", ""))
    if named != wanted:
        raise ConflictError("The pull request has changed since you looked: judge its new version.")
    return item

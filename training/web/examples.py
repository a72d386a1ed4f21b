"""The Examples tab of a pull request, and what reviewers do to one example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from hub.errors import BadInputError, ForbiddenError, HubError, UnauthenticatedError
from hub.extensions import Change
from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Access, Repository
from hub.policies import Actor
from training.actions import notes, pins
from training.actions.disclosure import Disclosed, disclose
from training.actions.examples import (
    LENGTHS,
    OUT,
    Choice,
    Example,
    Found,
    Query,
    SideAnswer,
    find_examples,
)
from training.actions.notes import REMARKS, Thread, talk_of
from training.actions.standing import standing_of
from training.jobs.comparisons import DIRECTIONS
from training.models import GateRecord
from training.policies import may_comment
from training.web.differences import Piece, side_by_side
from training.web.units import scale_of

EXAMPLES_A_PAGE = 10
FILTERS = ("benchmark", "direction", "group", "length", "item", "remark")
GROUPS_LISTED = 200
# On a page with many, texts are cut; alone, an example is shown whole.
TEXT_SHOWN, CHOICE_SHOWN, CHOICES_SHOWN = 1_200, 300, 8
LONG_CHOICE = 40
# Each item scores 1 for the stereotyped choice, 0 for the other one.
STEREOTYPES, TIE = ("pct_stereotype",), 0.5
DIRECTION_WORDS = {
    "lost": gettext_lazy("lost"),
    "gained": gettext_lazy("gained"),
    "same": gettext_lazy("unchanged"),
    OUT: gettext_lazy("not counted"),
}
LENGTH_WORDS = {
    "short": gettext_lazy("short, below 100 characters"),
    "medium": gettext_lazy("medium, 100 to 499"),
    "long": gettext_lazy("long, 500 and more"),
}
REMARK_WORDS = {
    "comment": gettext_lazy("with comments"),
    "acceptable": gettext_lazy("called acceptable"),
    "pin": gettext_lazy("pinned"),
}


@dataclass(frozen=True)
class Shown:
    """An example with what is said about it, cut to what a page shows."""

    example: Example
    thread: Thread
    prompt: str
    is_cut: bool
    choices: list[Choice]
    more_choices: int
    base_text: list[Piece]
    candidate_text: list[Piece]
    base_score: str
    candidate_score: str
    base_answer: str
    candidate_answer: str
    is_pinnable: bool

    @property
    def anchor(self) -> str:
        return f"item-{self.example.item[:12]}"


def examples(repository: Repository, change: Change, request: HttpRequest) -> dict[str, Any]:
    standing = standing_of(repository, change)
    record = standing.shown if standing else None
    if standing is None or record is None:
        return {"record": None, "standing": standing}
    actor = actor_of(request)
    told = disclose(record, actor)
    talk = talk_of(repository, change.number, told)
    given = {name: request.GET.get(name, "").strip()[:200] for name in FILTERS}
    remark = given["remark"] if given["remark"] in REMARKS else ""
    query = Query(
        **{name: given[name] for name in FILTERS if name != "remark"},
        items=talk.items(remark) if remark else None,
    )
    number = _page_number(request)
    found, page = _page_of(repository, record, actor, query, told, number)
    if page.number != number:  # beyond the last page: that one
        found, page = _page_of(repository, record, actor, query, told, page.number)
    results = {result["key"]: result for result in told.readable}
    is_alone = bool(given["item"]) and found.total == 1
    return {
        "record": record,
        "is_stale": standing.is_stale,
        "page": page,
        "examples": [
            _shown(each, talk.on(each.key, each.item), results[each.key], whole=is_alone)
            for each in found.examples
        ],
        "hidden": found.hidden,
        "is_lost": found.is_lost,
        "groups": found.groups[:GROUPS_LISTED],
        "keys": [(result["key"], result["label_text"]) for result in told.readable],
        "chosen": given,
        "directions": _directions(found.counts, given, told.readable),
        "remarks": [
            (key, REMARK_WORDS[key], count, _link(given, remark="" if key == remark else key))
            for key, count in talk.counts.items()
        ],
        "lengths": [(key, LENGTH_WORDS[key]) for key in LENGTHS],
        "query": urlencode({key: value for key, value in given.items() if value}),
        "back": _link(given, page=str(page.number) if page.number > 1 else ""),
        "is_filtered": any(given.values()),
        "actions_url": f"{change.path}/examples",
        "may_comment": may_comment(actor, repository),
        "may_write": repository.may(Access.WRITE),
        "may_admin": repository.may(Access.ADMIN),
    }


def _directions(
    counts: Any, given: dict[str, str], results: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A pill for each direction with how many items lie there, and where it leads."""
    changed = sum(counts.get(name, 0) for name in DIRECTIONS[:2])
    chosen = given["direction"]
    rows = [{"key": "", "word": _("changed"), "count": changed, "tone": "run"}]
    tones = {"lost": "fail", "gained": "pass"}
    listed = [each for each in results if given["benchmark"] in ("", each["key"])]
    moved = _moves(listed)
    if moved:
        tones = {}
    for key, word in (DIRECTION_WORDS | moved).items():
        if key == OUT and not counts.get(OUT):
            continue
        rows.append(
            {"key": key, "word": word, "count": counts.get(key, 0), "tone": tones.get(key, "run")}
        )
    for row in rows:
        row["is_chosen"] = row["key"] == chosen
        row["url"] = _link(given, direction=row["key"])
    return rows


def _moves(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The words where all scores have a target on the same side: no item of them is won or lost."""
    if not results or any(each.get("target") is None for each in results):
        return {}
    above = {(each.get("base_score") or 0.0) >= each["target"] for each in results}
    if len(above) > 1:
        return {"lost": _("score fell"), "gained": _("score rose")}
    words = [_("moved towards the target"), _("moved away from the target")]
    return dict(zip(("lost", "gained"), words if above.pop() else words[::-1], strict=True))


def _link(given: dict[str, str], **changed: str) -> str:
    return "?" + urlencode({key: value for key, value in (given | changed).items() if value})


def _shown(each: Example, thread: Thread, result: dict[str, Any], *, whole: bool) -> Shown:
    text, choice = (None, None) if whole else (TEXT_SHOWN, CHOICE_SHOWN)
    base, candidate = each.base.output or "", each.candidate.output or ""
    pieces = side_by_side(base[:text], candidate[:text]) if each.is_generated else ([], [])
    choices = each.choices if whole else each.choices[:CHOICES_SHOWN]
    cut = [len(each.prompt) > len(each.prompt[:text]), len(base[:text]) < len(base),
           len(candidate[:text]) < len(candidate), len(choices) < len(each.choices)]  # fmt: skip
    return Shown(
        example=each,
        thread=thread,
        prompt=each.prompt[:text],
        is_cut=any(cut),
        choices=[_called(_cut(each_one, choice), result) for each_one in choices],
        more_choices=len(each.choices) - len(choices),
        base_text=pieces[0],
        candidate_text=pieces[1],
        base_score=_score(each, each.base, result),
        candidate_score=_score(each, each.candidate, result),
        base_answer=_answer(each.base, choices),
        candidate_answer=_answer(each.candidate, choices),
        is_pinnable=pins.is_pinnable(result),
    )


def _score(each: Example, side: SideAnswer, result: dict[str, Any]) -> str:
    """What a side scored, where it is not right or wrong; in a measure of bias nothing is."""
    if side.score is None:
        return ""
    if result.get("metric") in STEREOTYPES:
        if side.score == TIE:
            return _("neither choice")
        return _("stereotyped choice") if side.score > TIE else _("other choice")
    return "" if each.is_binary else scale_of(result.get("unit")).score(side.score)


def _called(choice: Choice, result: dict[str, Any]) -> Choice:
    """Nobody expects the stereotyped choice: it is named, and not called right."""
    if result.get("metric") not in STEREOTYPES or not choice.is_expected:
        return choice
    text = _("%(text)s (stereotyped choice)") % {"text": choice.text}
    return replace(choice, text=text, is_expected=False)


def _answer(side: SideAnswer, choices: Sequence[Choice]) -> str:
    """What a side answered, unless it stands in full below as its output; of a long choice, which
    stands there too, the beginning."""
    if side.answer == side.output:
        return ""
    long = any(len(choice.text) > LONG_CHOICE for choice in choices)
    return Truncator(side.answer).chars(LONG_CHOICE) if long else side.answer


def _cut(choice: Choice, length: int | None) -> Choice:
    if length is None or len(choice.text) <= length:
        return choice
    return Choice(**(vars(choice) | {"text": f"{choice.text[:length]}…"}))


def _page_of(
    repository: Repository,
    record: GateRecord,
    actor: Actor,
    query: Query,
    told: Disclosed,
    number: int,
) -> tuple[Found, Page[Any]]:
    """A page of examples, and the pages there are."""
    start = (number - 1) * EXAMPLES_A_PAGE
    found = find_examples(
        repository, record, actor, query, start=start, count=EXAMPLES_A_PAGE, told=told
    )
    return found, Paginator(range(found.total), EXAMPLES_A_PAGE).get_page(number)


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 7 else 1


@require_POST
@repository_page()
def remark(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """Comment on an example, call it acceptable, or pin it."""
    actor, form = actor_of(request), request.POST
    about = {"benchmark": form.get("benchmark", ""), "item": form.get("item", "")}
    done = ""
    try:
        match form.get("act", ""):
            case "comment":
                body = form.get("body", "")
                notes.comment_on_item(repository, number, actor, body=body, **about)
                done = _("Comment added.")
            case "accept":
                notes.accept_item(repository, number, actor, body=form.get("body", ""), **about)
                done = _("Called acceptable.")
            case "pin":
                pins.pin_item(repository, number, actor, note=form.get("body", ""), **about)
                done = _("Pinned: every later change is held against it.")
            case unknown:
                raise BadInputError(f"{unknown[:40]!r} is nothing that can be done to an example.")
        messages.success(request, done)
    except (UnauthenticatedError, ForbiddenError):
        raise
    except HubError as error:
        messages.error(request, str(error))
    return _back(request, repository, number, about["item"])


@require_POST
@repository_page()
def remark_remove(
    request: HttpRequest, repository: Repository, number: int, pk: int
) -> HttpResponse:
    """Take a comment or an acceptance back."""
    notes.remove_note(repository, number, actor_of(request), pk)
    messages.success(request, _("Taken back."))
    return _back(request, repository, number, request.POST.get("item", ""))


def _back(request: HttpRequest, repository: Repository, number: int, item: str) -> HttpResponse:
    """To the page of examples that the person came from, at the example."""
    given = QueryDict(request.POST.get("back", "").removeprefix("?")[:1_000])
    kept = {key: given[key] for key in (*FILTERS, "page") if given.get(key)}
    url = f"{repository.get_absolute_url()}/discussions/{number}/examples"
    anchor = f"#item-{item[:12]}" if item.isalnum() else ""
    return redirect(f"{url}?{urlencode(kept)}{anchor}" if kept else f"{url}{anchor}")

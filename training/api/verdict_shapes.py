"""A verdict, its examples, notes and pins as the API tells them, and their OpenAPI shapes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DictField,
    FloatField,
    IntegerField,
    JSONField,
    ListField,
)

from training.actions.disclosure import Disclosed, why_not_checked
from training.actions.examples import OUT, Example, SideAnswer
from training.actions.notes import REMARKS, Thread
from training.actions.standing import records_of
from training.jobs.comparisons import DIRECTIONS
from training.jobs.sentences import reason_text
from training.models import GateRecord, ItemNote, NoteKind, Pin

Shape = serializers.Serializer
Facts = dict[str, Any]
RESULT_KEYS = (
    "key", "role", "reference", "metric", "unit", "direction", "target", "n", "n_max", "excluded",
    "base_score", "candidate_score", "delta", "lower", "upper", "margin", "margin_written",
    "floor", "ceiling", "alpha", "critical", "look", "method", "gains", "losses", "verdict",
    "label", "p_adjusted", "noise", "groups", "hidden",
)  # fmt: skip


class OverrideSerializer(Shape[Any]):
    """`reason` stays in the record; `head` and `base` are refused unless they are those of now."""

    reason = CharField(max_length=2_000)
    head = CharField(required=False, default="", max_length=40, allow_blank=True)
    base = CharField(required=False, default="", max_length=40, allow_blank=True)


class ItemNoteSerializer(Shape[Any]):
    """`benchmark` is its key in the gate, `item` the whole id of the item."""

    benchmark = CharField(max_length=128)
    item = CharField(max_length=64)
    kind = ChoiceField(choices=NoteKind.choices, default=NoteKind.COMMENT)
    body = CharField(required=False, default="", allow_blank=True, max_length=16 * 1024)


class PinSerializer(Shape[Any]):
    """`benchmark` is its key in the gate, `item` the whole id of the item."""

    benchmark = CharField(max_length=128)
    item = CharField(max_length=64)
    note = CharField(required=False, default="", allow_blank=True, max_length=300)


class NoteShape(Shape[Any]):
    id = IntegerField()
    benchmark = CharField()
    item = CharField()
    kind = ChoiceField(choices=NoteKind.choices)
    body = CharField(allow_blank=True)
    author = CharField()
    createdAt = CharField()


class NotesShape(Shape[Any]):
    notes = NoteShape(many=True)


class PinShape(Shape[Any]):
    id = IntegerField()
    benchmark = CharField(help_text="The data set and the path of the benchmark in it.")
    item = CharField()
    note = CharField(allow_blank=True)
    pullRequest = IntegerField(allow_null=True)
    author = CharField()
    createdAt = CharField()


class PinsShape(Shape[Any]):
    pins = PinShape(many=True)
    unseen = IntegerField(help_text="More, in data sets that you may not read.")


class DoneShape(Shape[Any]):
    success = BooleanField()


class SideShape(Shape[Any]):
    answer = CharField(allow_blank=True)
    score = FloatField(allow_null=True)
    margin = FloatField(allow_null=True, help_text="Nats by which the right choice is ahead.")
    output = CharField(allow_null=True, allow_blank=True)
    tie = BooleanField()
    nll = FloatField(allow_null=True)
    tokens = IntegerField(allow_null=True)


class ChoiceShape(Shape[Any]):
    text = CharField(allow_blank=True)
    base = FloatField()
    candidate = FloatField()
    expected = BooleanField()
    basePicks = BooleanField()
    candidatePicks = BooleanField()


class ExampleShape(Shape[Any]):
    key = CharField(help_text="The benchmark's key in the gate.")
    benchmark = CharField()
    item = CharField()
    group = CharField(allow_blank=True)
    direction = ChoiceField(choices=DIRECTIONS)
    change = FloatField(allow_null=True)
    excluded = BooleanField(help_text="It stands in the declared training data.")
    prompt = CharField(allow_blank=True)
    expected = CharField(allow_blank=True)
    bytes = IntegerField(allow_null=True)
    base = SideShape()
    candidate = SideShape()
    choices = ChoiceShape(many=True)
    notes = NoteShape(many=True)
    pin = IntegerField(allow_null=True)


class ExamplesShape(Shape[Any]):
    examples = ExampleShape(many=True)
    total = IntegerField()
    page = IntegerField()
    pages = IntegerField()
    counts = DictField(child=IntegerField(), help_text="Items by direction.")
    groups = ListField(child=CharField())
    hidden = ListField(child=CharField(), help_text="Benchmarks whose items you may not see.")


class AttemptTriedShape(Shape[Any]):
    attempt = IntegerField()
    verdict = CharField()
    overridden = BooleanField()
    head = CharField()
    base = CharField()
    alpha = FloatField(allow_null=True)
    run = IntegerField()
    createdAt = CharField()


class OverrideShape(Shape[Any]):
    by = CharField()
    reason = CharField()
    at = CharField()


class VerdictShape(Shape[Any]):
    verdict = ChoiceField(
        choices=("pass", "fail", "blocked", "error", "running", "not-run"),
        help_text="What the gate says; absence is never a number.",
    )
    run = IntegerField(required=False)
    attempt = IntegerField(required=False)
    head = CharField(required=False)
    base = CharField(required=False)
    mergeTree = CharField(required=False)
    ruleDigest = CharField(required=False)
    sentence = CharField(required=False)
    progress = JSONField(required=False)
    alpha = FloatField(required=False, allow_null=True, help_text="One-sided, over all looks.")
    strict = BooleanField(required=False)
    results = ListField(child=DictField(), required=False)
    looks = ListField(child=DictField(), required=False)
    contamination = DictField(required=False)
    pins = ListField(child=DictField(), required=False)
    unseenPins = IntegerField(required=False)
    attempts = AttemptTriedShape(many=True, required=False)
    override = OverrideShape(required=False, allow_null=True)
    hidden = ListField(child=CharField(), required=False)
    flipped = ExampleShape(many=True, required=False)


def result_shape(result: Facts) -> Facts:
    """One benchmark of a verdict; `rounded` where it may be told in coarse steps alone."""
    named: Facts = {"benchmark": result["label_text"]}
    named |= {key: result[key] for key in RESULT_KEYS if key in result}
    if result["verdict"] in ("error", "inconclusive") and result.get("reason"):
        named |= {"reason": result["reason"], "explanation": reason_text(result["reason"])}
    return named | {"rounded": bool(result.get("is_coarse"))}


def contamination_shape(told: Disclosed) -> Facts:
    facts, sentence = told.contamination, told.record.sentence
    why = {key: why_not_checked(told, key) for key in facts.get("benchmarks", {})}
    return {
        "checked": bool(facts) and not any(why.values()),
        "undeclared": bool(sentence.get("undeclared")),
        "sources": facts.get("sources", []),
        "documents": facts.get("documents", 0),
        "unread": [*told.unreadable_data, *facts.get("unread", [])],
        "unnamed": told.unnamed_data + facts.get("unnamed", 0),
        "benchmarks": {
            key: found | {"checked": not why[key], "whyNot": why[key]}
            for key, found in facts.get("benchmarks", {}).items()
        },
    }


def attempts_shape(record: GateRecord) -> list[Facts]:
    """Every weighing of the pull request, the newest first."""
    rows = records_of(record.repository, record.pull_request_number).values(  # type: ignore[misc]
        "attempt", "verdict", "overridden_at", "head_oid", "base_oid", "created_at",
        "run__number", "gate_facts",
    )  # fmt: skip
    return [
        {
            "attempt": row["attempt"],
            "verdict": row["verdict"],
            "overridden": row["overridden_at"] is not None,
            "head": row["head_oid"],
            "base": row["base_oid"],
            "alpha": (row["gate_facts"] or {}).get("alpha"),
            "run": row["run__number"],
            "createdAt": row["created_at"],
        }
        for row in rows
    ]


def override_shape(record: GateRecord) -> Facts | None:
    if not record.is_overridden or record.overridden_by is None:
        return None
    return {
        "by": record.overridden_by.username,
        "reason": record.override_reason,
        "at": record.overridden_at,
    }


def example_shape(example: Example, thread: Thread) -> Facts:
    return {
        "key": example.key,
        "benchmark": example.benchmark,
        "item": example.item,
        "group": example.group,
        "direction": example.direction,
        "change": example.change,
        "excluded": example.is_excluded,
        "prompt": example.prompt,
        "expected": example.expected,
        "bytes": example.size_bytes,
        "base": _side(example.base),
        "candidate": _side(example.candidate),
        "choices": [
            {
                "text": choice.text,
                "base": choice.base,
                "candidate": choice.candidate,
                "expected": choice.is_expected,
                "basePicks": choice.base_picks,
                "candidatePicks": choice.candidate_picks,
            }
            for choice in example.choices
        ],
        "notes": [note_shape(note, example.key) for note in thread.notes],
        "pin": thread.pin.pk if thread.pin else None,
    }


def _side(side: SideAnswer) -> Facts:
    names = ("answer", "score", "margin", "output", "tie", "nll", "tokens")
    return {name: getattr(side, name) for name in names}


def note_shape(note: ItemNote, key: str) -> Facts:
    return {
        "id": note.pk,
        "benchmark": key,
        "item": note.item_id,
        "kind": note.kind,
        "body": note.body,
        "author": note.author.username,
        "createdAt": note.created_at,
    }


def pin_shape(pin: Pin) -> Facts:
    return {
        "id": pin.pk,
        "benchmark": pin.reference,
        "item": pin.item_id,
        "note": pin.note,
        "pullRequest": pin.pull_request_number,
        "author": pin.pinned_by.username,
        "createdAt": pin.created_at,
    }


DIRECTION_NAMES = (*DIRECTIONS, OUT)
REMARK_NAMES = REMARKS

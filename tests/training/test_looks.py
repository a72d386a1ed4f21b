"""The group-sequential test of a gate: what is decided when, and of which items."""

from __future__ import annotations

import random

import pytest

from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.inputs import PinnedFile
from training.jobs.items import Item
from training.jobs.looks import Sequential
from training.jobs.scoring import Asked, Look
from training.models import Benchmark
from training.specs.benchmark import parse_benchmark
from training.specs.chunks import chunked, ordered
from training.specs.gate import parse_gate
from training.specs.items import select_items
from training.statistics import looks

DEFINITION = """
task: NAME
doc_to_text: "{{text}}"
doc_to_choice: [a, b]
doc_to_target: 0
"""
FILE = PinnedFile("test.jsonl", "0" * 64, 1, "0" * 40, False)


def asked(name: str = "guard", n: int = 600, seed: str = "rule") -> Asked:
    text = DEFINITION.replace("NAME", name)
    definition = parse_benchmark(text)
    items = select_items([{"text": f"{name} {i}"} for i in range(n)], definition)
    pinned = PinnedBenchmark(
        name, name, f"o/{name}:b.yaml", "b.yaml", 1, "0" * 40, text, definition, "acc", 1,
        "0" * 40, FILE,
    )  # fmt: skip
    return Asked(pinned, Benchmark(), chunked(items), ordered(items, seed), n)


def rule(*names: str, **more: object):
    lines = "".join(f"  - {{benchmark: 'o/{name}:b.yaml', margin: 0.1}}\n" for name in names)
    head = "".join(f"{key}: {value}\n" for key, value in more.items())
    return parse_gate(f"{head}benchmarks:\n{lines}")


def sequential(*what: Asked, alpha: float = 0.05, excluded=None, **more: object) -> Sequential:
    gate = rule(*(each.key for each in what), **more)
    return Sequential(gate, what, alpha=alpha, excluded=excluded or {})


def answers(asked: Asked, base: float, candidate: float, *, seed: int = 0):
    """Right/wrong answers of both sides with these shares, unlike each other where shares are."""
    source = random.Random(seed)
    found: dict[tuple[str, str], dict[str, Item]] = {
        (side, asked.key): {} for side in ("base", "candidate")
    }
    for item in asked.issued:
        draw = source.random()
        for side, share in (("base", base), ("candidate", candidate)):
            score = float(draw < share)
            found[side, asked.key][item.id] = Item(item.id, {"acc": score})
    return found


def play(test: Sequential, items) -> list[int]:
    """The looks that were taken until the test was over."""
    stages = test.stages
    for number in range(1, len(stages) + 1):
        decision = test.decide(Look(number, number == len(stages), items))
        if decision.is_final:
            return list(range(1, number + 1))
    raise AssertionError("no look was the last")


def test_three_equal_looks_have_the_boundaries_of_lan_and_demets():
    guard = asked(n=600)
    test = sequential(guard)
    assert test.stages == [{"guard": 200}, {"guard": 400}, {"guard": 600}]
    plan = test.plans["guard"]
    assert [look.boundary for look in plan] == pytest.approx(
        [3.200102, 2.140815, 1.694812], abs=1e-6
    )


def test_an_equal_model_passes_as_soon_as_the_evidence_is_there():
    guard = asked()
    test = sequential(guard)
    assert play(test, answers(guard, 0.8, 0.8)) == [1]
    (found,) = test.results()
    assert (found.comparison.verdict.value, found.look, found.comparison.n) == ("pass", 1, 200)
    assert found.comparison.alpha == pytest.approx(looks.level(3.200102), abs=1e-8)
    assert test.counted("guard") == [item.id for item in guard.order[:200]]


def test_a_harmful_model_fails_at_once_and_nothing_more_is_asked():
    bad, good = asked("bad"), asked("good")
    test = sequential(bad, good)
    items = answers(bad, 0.9, 0.3) | answers(good, 0.8, 0.78)
    assert play(test, items) == [1]
    verdicts = {each.asked.key: each.comparison.verdict.value for each in test.results()}
    assert verdicts["bad"] == "fail"


def test_what_is_settled_at_a_look_keeps_its_word_while_the_rest_goes_on():
    quick, slow = asked("quick", 600), asked("slow", 600)
    items = answers(quick, 0.8, 0.8) | answers(slow, 0.8, 0.755)
    test = sequential(quick, slow)
    first = test.decide(Look(1, False, items))
    assert (first.settled, first.is_final) == (frozenset({"quick"}), False)
    test.decide(Look(2, False, items))
    assert test.weighed["quick"].look == 1
    assert set(test.history[1]["benchmarks"]) == {"slow"}


def test_looks_with_too_few_items_are_left_out_of_a_benchmark_and_spend_nothing():
    """A larger benchmark of the same rule is looked at as often as ever."""
    small, middle, large = asked("small", 120), asked("middle", 200), asked("large", 900)
    test = sequential(small, middle, large)
    assert [stage["small"] for stage in test.stages] == [120, 120, 120]
    assert [stage["middle"] for stage in test.stages] == [134, 200, 200]
    assert [stage["large"] for stage in test.stages] == [300, 600, 900]
    (only,) = test.plans["small"]
    assert only.alpha == pytest.approx(0.05)
    items = answers(small, 0.8, 0.8) | answers(middle, 0.8, 0.7) | answers(large, 0.8, 0.75)
    test.decide(Look(1, False, items))
    assert test.weighed["small"].comparison.n == 120
    assert test.weighed["small"].critical == pytest.approx(1.644854, abs=1e-6)


def test_how_many_looks_there_are_does_not_tell_how_many_items_were_found():
    guard = asked(n=300)
    for found in (0, 1, 5):
        out = frozenset(item.id for item in guard.order[:found])
        assert len(sequential(guard, excluded={"guard": out}).stages) == 3


def test_excluded_items_are_left_out_of_both_sides_and_counted():
    guard = asked(n=300)
    out = frozenset(item.id for item in guard.order[:10])
    test = sequential(guard, excluded={"guard": out}, looks=1)
    items = answers(guard, 0.8, 0.8)
    for side in ("base", "candidate"):
        for item_id in out:  # what they scored must not matter
            score = 1.0 if side == "base" else 0.0
            items[side, "guard"][item_id] = Item(item_id, {"acc": score})
    test.decide(Look(1, True, items))
    (found,) = test.results()
    assert (found.comparison.n, found.excluded, found.comparison.losses) == (290, 10, 0)
    assert not out & set(test.counted("guard"))


def test_too_few_items_left_are_an_error_at_the_last_look():
    guard = asked(n=150)
    out = frozenset(item.id for item in guard.order[:60])
    test = sequential(guard, excluded={"guard": out})
    play(test, answers(guard, 0.8, 0.8))
    (found,) = test.results()
    assert (found.comparison.verdict.value, found.comparison.reason) == ("error", "too_few_items")


def test_the_order_is_the_rules_and_not_the_files():
    one, other = asked(seed="rule one"), asked(seed="rule two")
    assert [i.id for i in one.order] != [i.id for i in other.order]
    assert sorted(i.id for i in one.order) == sorted(i.id for i in other.order)
    again = asked(seed="rule one")
    assert [i.id for i in one.order] == [i.id for i in again.order]


def test_looking_thrice_passes_a_model_at_the_margin_no_more_often_than_alpha():
    """400 models that are worse by exactly the margin: about 5 % may pass, and no more."""
    source = random.Random(7)
    guard = asked(n=300)
    passed = 0
    for _trial in range(400):
        items: dict[tuple[str, str], dict[str, Item]] = {
            ("base", "guard"): {}, ("candidate", "guard"): {},
        }  # fmt: skip
        for item in guard.issued:
            draw = source.random()
            base, candidate = (1.0, 0.0) if draw < 0.15 else (0.0, 1.0) if draw < 0.2 else (1, 1)
            items["base", "guard"][item.id] = Item(item.id, {"acc": base})
            items["candidate", "guard"][item.id] = Item(item.id, {"acc": candidate})
        test = sequential(guard)
        play(test, items)
        passed += test.results()[0].comparison.verdict.value == "pass"
    assert passed / 400 < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5

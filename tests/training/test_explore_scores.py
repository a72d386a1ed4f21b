"""Models found by what they scored here: choose a benchmark, narrow and sort by the score."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from hub.models import Visibility
from tests.factories import make_organization
from tests.training.board_making import evaluate, make_benchmark, make_scored, reweigh
from training.models import Origin

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget():
    cache.clear()


@pytest.fixture
def benchmark():
    return make_benchmark()


def explore(client, **query: str) -> str:
    return client.get("/-/explore", query).content.decode()


def listed(page: str, *names: str) -> list[str]:
    """Those of `names` that stand in the list, in its order."""
    rows = page.partition('<ul class="explore-rows">')[2].partition("</ul>")[0]
    return sorted((name for name in names if f"<b>{name}</b>" in rows), key=rows.index)


def test_what_a_gate_measured_in_part_is_found_and_says_of_how_many(benchmark, client_for):
    assert "Measured score" not in explore(client_for())
    evaluate(make_scored(name="weighed"), benchmark, {1}, limit=100)
    page = explore(client_for())
    assert "Measured score" in page and f'value="{benchmark.reference}"' in page
    page = explore(client_for(), kind="model", benchmark=benchmark.reference, sort="score")
    assert listed(page, "weighed") == ["weighed"]
    assert " · 100 of 120 items</b>" in page


def test_models_are_sorted_and_narrowed_by_their_score(benchmark, client_for):
    for name, wrong, limit in (("bad", 80, None), ("good", 2, None), ("part", 20, 100)):
        evaluate(make_scored(name=name), benchmark, set(range(wrong)), limit=limit)
    make_scored(name="unmeasured")
    names = ("bad", "good", "part", "unmeasured")
    asked = {"kind": "model", "benchmark": benchmark.reference, "sort": "score"}
    assert listed(explore(client_for(), **asked), *names) == ["good", "part", "bad"]
    assert listed(explore(client_for(), **asked, min="50"), *names) == ["good", "part"]
    assert listed(explore(client_for(), **asked, min="50", max="90"), *names) == ["part"]


def test_a_whole_measurement_decides_which_settings_count(benchmark, client_for):
    whole, other = make_scored(name="whole"), make_scored(name="other")
    evaluate(whole, benchmark, {1})
    for _again in range(2):
        reweigh(other, b"again %d" % _again)
        evaluate(other, benchmark, {1}, limit=100, protocol_digest="9" * 64)
    page = explore(client_for(), kind="model", benchmark=benchmark.reference, sort="score")
    assert listed(page, "whole", "other") == ["whole"]


def test_what_is_reported_or_hidden_or_private_finds_nothing(client_for):
    benchmark = make_benchmark()
    evaluate(make_scored(name="claimed"), benchmark, {1}, origin=Origin.REPORTED)
    secret = make_scored(make_organization(), name="secret", visibility=Visibility.PRIVATE)
    evaluate(secret, benchmark, {1})
    assert "Measured score" not in explore(client_for())
    held = make_benchmark(name="held", more=", hidden: true")
    evaluate(make_scored(name="open"), held, {1}, limit=100)
    page = explore(client_for(), kind="model", benchmark=held.reference)
    assert "Measured score" not in page and listed(page, "open", "secret", "claimed") == []

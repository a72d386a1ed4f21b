"""Gate files: pinned by digest, and refused when they could not decide."""

import json

import pytest

from hub.errors import BadInputError
from training.specs.gate import (
    BenchmarkReference,
    Role,
    parse_gate,
    parse_reference,
    read_gate,
    require_decidable,
)

GATE = """
alpha: 0.05
benchmarks:
  - benchmark: demo/sms_spam:benchmark.yaml
    role: target
    margin: 0.05
    limit: 250
  - benchmark: demo/blimp:benchmarks/syntax.yaml@v1
    margin: 0.05
seeds: [0]
"""


def gate(**values):
    first = {"benchmark": "demo/a:b.yaml", "margin": 0.05, **values}
    return json.dumps({"benchmarks": [first]})


def test_a_gate_is_read_with_its_defaults():
    found = parse_gate(GATE)
    spam, blimp = found.benchmarks
    assert (spam.role, spam.margin, spam.limit) == (Role.TARGET, 0.05, 250)
    assert (blimp.role, blimp.limit, blimp.discordance) == (Role.GUARD, None, 0.10)
    assert blimp.reference == BenchmarkReference("demo/blimp", "benchmarks/syntax.yaml", "v1")
    assert str(blimp.reference) == "demo/blimp:benchmarks/syntax.yaml@v1"
    assert (found.alpha, found.seeds) == (0.05, (0,))


def test_what_it_writes_is_the_same_gate_again():
    found = parse_gate(GATE)
    assert read_gate(json.loads(json.dumps(found.to_dict()))) == found
    assert parse_gate(GATE.replace("alpha: 0.05\n", "")).digest == found.digest
    assert parse_gate(GATE.replace("alpha: 0.05", "alpha: 0.06")).digest != found.digest


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "needs a list of 1 to 20"),
        ("benchmarks: []", "needs a list of 1 to 20"),
        ("benchmarks: [a]", "a map of keys"),
        (gate(margin=0), "margin is 0"),
        (gate(margin=0.6), "margin is 0.6"),
        (gate(margin="2 %"), "margin is '2 %'"),
        (gate(margins=1), "Did you mean 'margin'?"),
        (gate(role="watch"), "one of target, guard"),
        (gate(limit=99), "needs at least 100 items"),
        (gate(limit=100, margin=0.02), "needs 1546 items, or a margin of at least 0.079"),
        (gate(benchmark="demo/a"), "namespace/name:benchmark.yaml"),
        (gate(benchmark="a:b.yaml"), "namespace/name"),
        (gate(benchmark="demo/a:../b.yaml"), "a path in the repository"),
        (gate(benchmark="demo/a:b.py"), "write namespace/name:benchmark.yaml"),
        (gate(benchmark="demo/a:b.yaml@"), "write namespace/name:benchmark.yaml"),
        (gate(benchmark="demo/a:b.yaml@-x"), "a revision"),
        ("alpha: 0.5\nbenchmarks: [{benchmark: 'a/b:c.yaml', margin: 0.1}]", "alpha is 0.5"),
        ("seeds: []\nbenchmarks: [{benchmark: 'a/b:c.yaml', margin: 0.1}]", "a list of 1 to 10"),
        (
            "benchmarks: [{benchmark: 'a/b:c.yaml', margin: 0.1}, "
            "{benchmark: 'a/b:c.yaml@v1', margin: 0.1}]",
            "twice",
        ),
        ("benchmarks: !x []", "tag"),
    ],
)
def test_a_gate_that_cannot_be_used_is_refused(content, reason):
    with pytest.raises(BadInputError) as refused:
        parse_gate(content)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        (99, "needs at least 100 items"),
        (247, "cannot decide a margin of 0.05 with 247 items: it needs 248 items"),
    ],
)
def test_items_that_cannot_prove_the_margin_are_refused(items, reason):
    with pytest.raises(BadInputError) as refused:
        require_decidable(parse_gate(gate()), {"demo/a:b.yaml": items})
    assert reason in str(refused.value)


def test_just_enough_items_are_enough():
    require_decidable(parse_gate(gate()), {"demo/a:b.yaml": 248})
    require_decidable(parse_gate(gate(discordance=0.04)), {"demo/a:b.yaml": 100})


def test_a_reference_is_read_as_it_is_written():
    for text in ("demo/a:b.yaml", "demo/a:x/b.yml@refs/pr/3", "o-1/a.b:c@d.yaml@main"):
        assert str(parse_reference(text)) == text

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
)
from training.specs.margins import Margin

GATE = """
alpha: 0.05
benchmarks:
  - benchmark: demo/sms_spam:benchmark.yaml
    role: target
    margin: 0.05
    limit: 250
  - benchmark: demo/blimp:benchmarks/syntax.yaml@v1
    margin: 0.05
"""


def gate(**values):
    first = {"benchmark": "demo/a:b.yaml", "margin": 0.05, **values}
    return json.dumps({"benchmarks": [first]})


def test_a_gate_is_read_with_its_defaults():
    found = parse_gate(GATE)
    spam, blimp = found.benchmarks
    assert (spam.role, spam.margin, spam.limit) == (Role.TARGET, Margin(0.05), 250)
    assert (blimp.role, blimp.limit, blimp.discordance) == (Role.GUARD, None, 0.10)
    assert blimp.reference == BenchmarkReference("demo/blimp", "benchmarks/syntax.yaml", "v1")
    assert str(blimp.reference) == "demo/blimp:benchmarks/syntax.yaml@v1"
    assert (found.alpha, found.spending, found.strict) == (0.05, "lan_demets", False)
    assert found.looks == pytest.approx((1 / 3, 2 / 3, 1))
    assert (found.noise_floor, found.contamination, found.blind) == (False, True, None)


def test_the_level_is_the_branchs_where_the_rule_names_none():
    named, unnamed = parse_gate(GATE), parse_gate(GATE.replace("alpha: 0.05\n", ""))
    assert named.level(is_protected=True) == named.level(is_protected=False) == 0.05
    assert (unnamed.level(is_protected=True), unnamed.level(is_protected=False)) == (0.025, 0.05)


def test_all_that_a_rule_can_say_is_read_and_written_again():
    text = """
strict: true
power: 0.9
noise_floor: true
contamination: false
looks: [0.25, 0.6, 1]
spending: obrien_fleming
blind: {benchmark: demo/prompts:benchmark.yaml, votes: 60, margin: 0.15, limit: 20}
benchmarks:
  - {benchmark: "demo/songci:bits.yaml", margin: 0.5%, metric: bits_per_byte, spread: 0.4}
  - {benchmark: "demo/secret:benchmark.yaml", hidden: true}
"""
    found = parse_gate(text)
    songci, secret = found.benchmarks
    assert (songci.margin, songci.metric, songci.spread) == (
        Margin(0.005, relative=True), "bits_per_byte", 0.4,
    )  # fmt: skip
    assert (secret.hidden, secret.margin) == (True, None)
    assert (found.looks, found.spending, found.strict) == ((0.25, 0.6, 1.0), "obrien_fleming", True)
    assert (found.blind.votes, found.blind.margin, found.blind.limit) == (60, 0.15, 20)
    assert read_gate(json.loads(json.dumps(found.to_dict()))) == found


def test_what_it_writes_is_the_same_gate_again():
    found = parse_gate(GATE)
    assert read_gate(json.loads(json.dumps(found.to_dict()))) == found
    assert parse_gate(GATE.replace("role: target", 'role: "target"')).digest == found.digest
    assert parse_gate(GATE.replace("alpha: 0.05", "alpha: 0.06")).digest != found.digest


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "needs a list of 1 to 20"),
        ("benchmarks: []", "needs a list of 1 to 20"),
        ("benchmarks: [a]", "a map of keys"),
        (gate(margin=0), "margin is 0"),
        (gate(margin=101), "margin is 101"),
        (gate(margin="2 points"), "margin is '2 points'"),
        (gate(margin="0%"), "margin is '0%'"),
        (gate(margins=1), "Did you mean 'margin'?"),
        (gate(role="watch"), "one of target, guard"),
        (gate(limit=99), "needs at least 100 items"),
        (gate(benchmark="demo/a"), "namespace/name:benchmark.yaml"),
        (gate(benchmark="a:b.yaml"), "namespace/name"),
        (gate(benchmark="demo/a:../b.yaml"), "a path in the repository"),
        (gate(benchmark="demo/a:b.py"), "write namespace/name:benchmark.yaml"),
        (gate(benchmark="demo/a:b.yaml@"), "write namespace/name:benchmark.yaml"),
        (gate(benchmark="demo/a:b.yaml@-x"), "a revision"),
        ("alpha: 0.5\nbenchmarks: [{benchmark: 'a/b:c.yaml', margin: 0.1}]", "alpha is 0.5"),
        ("looks: 0\nbenchmarks: [{benchmark: 'a/b:c.yaml', margin: 0.1}]", "looks is 0"),
        ("looks: [0.5, 0.4, 1]\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]", "rising shares"),
        ("looks: [0.5]\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]", "that end with 1"),
        ("spending: all\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]", "one of lan_demets"),
        ("blind: {votes: 3}\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]", "has no benchmark"),
        (
            "blind: {benchmark: 'a/b:c.yaml@v1'}\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]",
            "a benchmark of this gate too",
        ),
        (
            "blind: {benchmark: 'a/b:c.yaml', votes: 3}\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]",
            "blind.votes is 3",
        ),
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


def test_a_reference_is_read_as_it_is_written():
    for text in ("demo/a:b.yaml", "demo/a:x/b.yml@refs/pr/3", "o-1/a.b:c@d.yaml@main"):
        assert str(parse_reference(text)) == text

"""A gate is written as people write it, and read back as what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.specs.gate import (
    BenchmarkReference,
    BlindRule,
    GateBenchmark,
    GateConfig,
    Role,
    parse_gate,
)
from training.specs.gate_text import head_comment, lost_comments, write_gate, written_looks
from training.specs.margins import Margin

TEXT = """\
# What merges must show.
# Ask Ada before you change it.

alpha: 0.05   # one in twenty
benchmarks:
  # the aim
  - {benchmark: "demo/spam:benchmark.yaml", margin: 0.05, metric: "x # y"}
  - benchmark: demo/text:bits#1.yaml
    margin: 0.5%
blind: {benchmark: "demo/prompts:benchmark.yaml", votes: 20}
"""


def test_only_what_is_not_meant_anyway_is_written():
    written = write_gate(parse_gate(TEXT))
    assert written == (
        "alpha: 0.05\n"
        "benchmarks:\n"
        "- benchmark: demo/spam:benchmark.yaml\n"
        "  role: guard\n"
        "  margin: 0.05\n"
        "  metric: 'x # y'\n"
        "- benchmark: demo/text:bits#1.yaml\n"
        "  role: guard\n"
        "  margin: 0.5%\n"
        "blind:\n"
        "  benchmark: demo/prompts:benchmark.yaml\n"
        "  votes: 20\n"
    )


def test_the_comment_at_the_top_is_kept_and_the_others_are_named():
    head = head_comment(TEXT)
    assert head == "# What merges must show.\n# Ask Ada before you change it.\n\n"
    assert lost_comments(TEXT) == [4, 6]
    written = write_gate(parse_gate(TEXT), head=head)
    assert written.startswith(head)
    assert parse_gate(written) == parse_gate(TEXT)
    assert lost_comments(written) == []


@pytest.mark.parametrize("text", ["", "alpha: 0.05\n", "\n\nalpha: 1\n", "[broken", "a: '# no'\n"])
def test_a_file_without_comments_loses_none(text):
    assert head_comment(text) == ""
    assert lost_comments(text) == []


shares = st.lists(
    st.floats(0.05, 0.95).map(lambda share: round(share, 4)), max_size=4, unique=True
).map(lambda found: (*sorted(found), 1.0))
equal = st.integers(1, 10).map(lambda n: tuple((k + 1) / n for k in range(n)))
margins = (
    st.none()
    | st.builds(Margin, st.sampled_from([0.2, 0.5, 1.5]))
    | st.just(Margin(0.005, relative=True))
)
benchmarks = st.builds(
    GateBenchmark,
    reference=st.builds(
        BenchmarkReference,
        st.just("demo/data"),
        st.integers(0, 10**6).map(lambda n: f"b{n}.yaml"),
        st.sampled_from([None, "v1", "refs/pr/3"]),
    ),
    margin=margins,
    role=st.sampled_from(Role),
    limit=st.sampled_from([None, 2000]),
    discordance=st.sampled_from([0.1, 0.033, 1.0]),
    spread=st.sampled_from([None, 0.25]),
    metric=st.sampled_from([None, "acc_norm"]),
    hidden=st.booleans(),
)
configs = st.builds(
    GateConfig,
    benchmarks=st.lists(
        benchmarks, min_size=1, max_size=4, unique_by=lambda b: b.reference.path
    ).map(tuple),
    alpha=st.sampled_from([None, 0.05, 0.01]),
    looks=shares | equal,
    spending=st.sampled_from(["lan_demets", "pocock", "obrien_fleming"]),
    strict=st.booleans(),
    power=st.sampled_from([0.8, 0.95]),
    noise_floor=st.booleans(),
    contamination=st.booleans(),
    blind=st.none()
    | st.builds(
        BlindRule,
        st.builds(BenchmarkReference, st.just("demo/prompts"), st.just("p.yaml")),
        st.sampled_from([40, 60]),
        st.sampled_from([0.1, 0.2]),
        st.sampled_from([50, 20]),
    ),
)


@given(configs)
def test_every_gate_is_read_back_as_it_was(config):
    assert parse_gate(write_gate(config)) == config


def test_equal_looks_are_a_number():
    looks = parse_gate("looks: 4\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]")
    assert written_looks(looks) == 4
    shares = parse_gate("looks: [0.25, 1]\nbenchmarks: [{benchmark: 'a/b:c.yaml'}]")
    assert written_looks(shares) == [0.25, 1.0]

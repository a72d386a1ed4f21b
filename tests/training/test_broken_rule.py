"""A gate whose rule cannot be read lets no change of weights through."""

from __future__ import annotations

import pytest

from hub.extensions import RequirementState
from reviews.actions.requirements import checklist
from tests.factories import commit_files, make_repository
from tests.reviews.factories import make_maintainer, make_pull_request

pytestmark = pytest.mark.django_db


def test_a_rule_that_cannot_be_read_blocks_a_change_of_weights():
    repository = make_repository(files={".weighbridge/gate.yaml": b"benchmarks: [\n"})
    commit_files(repository, {"config.json": b"{}", "model.safetensors": b"old"})
    author = make_maintainer(repository)
    pull_request = make_pull_request(repository, author=author, files={"model.safetensors": b"new"})
    gate = {line.key: line.state for line in checklist(pull_request).lines}["gate"]
    assert gate is not RequirementState.MET

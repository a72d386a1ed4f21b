"""Comparing weights by the job: what is told when, found again, and left behind by a crash."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from hub.gitstore import AddFile
from hub.models import Repository
from reviews.actions.weights import request_comparison, side_at
from reviews.jobs import comparing
from reviews.models import ComparisonState, WeightsComparison
from tests.factories import make_repository
from tests.training.factories import TINY, commit, large

pytestmark = pytest.mark.usefixtures("transactional_db")
EDITED = "model.layers.1.self_attn.q_proj.weight"


def tensors() -> dict[str, np.ndarray]:
    return load_file(TINY / "model.safetensors")


@pytest.fixture
def model() -> Repository:
    repository = make_repository()
    files = [AddFile(p.name, p.read_bytes()) for p in sorted(TINY.iterdir()) if p.suffix == ".json"]
    weights = (TINY / "model.safetensors").read_bytes()
    commit(repository, [*files, large(repository, "model.safetensors", weights)])
    return repository


def changed(repository: Repository, edit, ref: str = "refs/heads/main") -> str:
    """A commit whose weights are `edit`'s; its oid."""
    held = tensors()
    edit(held)
    return commit(repository, [large(repository, "model.safetensors", save(held))], ref)


def rank_four(held: dict[str, np.ndarray]) -> None:
    generator = np.random.default_rng(0)
    rows, columns = held[EDITED].shape
    left, right = generator.normal(size=(rows, 4)), generator.normal(size=(4, columns))
    held[EDITED] = (held[EDITED] + 0.01 * left @ right).astype(np.float32)


def compared(repository: Repository, base_oid: str, oid: str) -> WeightsComparison:
    row = request_comparison(side_at(repository, base_oid), side_at(repository, oid))
    comparing.carry_out(row.pk)
    row.refresh_from_db()
    return row


def test_an_edit_is_told_with_its_tensor_its_size_and_its_rank(model):
    base = model.store().resolve("main")
    row = compared(model, base, changed(model, rank_four))
    assert (row.state, row.error, row.problems) == (ComparisonState.DONE, {}, [])
    touched = [each for each in row.structure if each["kind"] != "same"]
    (edited,) = touched
    assert edited["name"] == EDITED and edited["rank"] == 4
    assert 0 < edited["relative"] < 1 and edited["changed_share"] > 0.9
    codes = [fact["code"] for fact in row.summary["facts"]]
    assert "low_rank_change" in codes and "no_nan" in codes
    assert len(row.structure) == len(tensors())

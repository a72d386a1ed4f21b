"""In which precision a model is computed: the same whatever processor a worker has."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hub.gitstore import AddFile
from tests.training.factories import TINY, commit, make_model
from training.actions.models import dtype_to_run, files_at

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("said", "weights_bytes", "expected"),
    [
        ("bfloat16", 269_000_000, "float32"),
        ("bfloat16", 3_000_000_000, "bfloat16"),
        ("float32", 3_000_000_000, "float32"),
    ],
)
def test_small_models_are_computed_in_float32(said, weights_bytes, expected):
    model = make_model()
    config = json.loads((TINY / "config.json").read_text()) | {"dtype": said}
    oid = commit(model, [AddFile("config.json", json.dumps(config).encode())])
    files = [
        replace(file, size_bytes=weights_bytes) if file.path == "model.safetensors" else file
        for file in files_at(model, oid)
    ]
    assert dtype_to_run(model, files) == expected

"""What a fine-tune writes into a card leaves every other byte as it was."""

from __future__ import annotations

import pytest

from training.jobs.cards import FinetuneFacts, with_finetune

FACTS = FinetuneFacts(
    title="Good",
    base_model="demo/base",
    base_commit="a" * 40,
    datasets=["demo/data"],
    data_commits=["b" * 40],
    recipe_path="recipes/good.yaml",
    run_url="/demo/base/runs/1",
    steps=10,
    first_loss=2.0,
    final_loss=1.0,
)


@pytest.mark.parametrize("codec", ["utf-8", "latin-1", "gb18030"])
@pytest.mark.parametrize("head", ["", "---\nlicense: mit\n---\n", "---\nauthor: José\n---\n"])
def test_text_in_any_encoding_stays_as_it_is(codec, head):
    body = "# Modèle\n\n你好\n" if codec != "latin-1" else "# Modèle\n\nentraîné\n"
    made = with_finetune((head + body).encode(codec), FACTS)
    assert body.encode(codec) in made
    assert all(line.encode(codec) in made for line in head.split("\n"))
    assert b"demo/data" in made
    assert with_finetune(made, FACTS) == made

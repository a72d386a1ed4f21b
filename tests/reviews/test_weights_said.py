"""What is known of weights has words for whoever reads it."""

from __future__ import annotations

import pytest

from reviews.actions.weights_said import fact_sentence, problem_sentence


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"reason": "use_dora"}, "it is a DoRA, which scales whole weights as well"),
        ({"reason": "peft_type=IA3"}, "its method is IA3, and only LoRA is worked out here"),
        ({"reason": "peft_type=None"}, "adapter_config.json names no method"),
        (
            {"reason": "init_lora_weights=pissa_niter_4"},
            "it began with pissa_niter_4, which changes the base as well",
        ),
        ({"reason": "of_later"}, "what the setting of_later does is not known here"),
        ({"reason": "gguf"}, "it is a GGUF file"),
        ({"reason": "shape", "tensor": "a.weight"}, "a.weight or its factors are no matrices"),
        (
            {"reason": "dtype", "tensor": "a.weight"},
            "its factors of a.weight are of a type that is not read here",
        ),
        ({"reason": "factor", "tensor": "a.lora_C"}, "what a.lora_C does is not known here"),
    ],
)
def test_why_an_adapter_cannot_be_compared_is_told_in_words(parameters, why):
    said = problem_sentence("adapter_not_supported", None, parameters, blocks=False)
    assert said.text == f"This kind of adapter cannot be compared with its base: {why}."


@pytest.mark.parametrize(
    ("code", "parameters", "said"),
    [
        (
            "modules_reshaped",
            {"before": [192, 512], "after": [192, 504]},
            "Another shape of down_proj, layers 0–3: 192 × 512 became 192 × 504.",
        ),
        ("modules_rows_removed", {"count": 8}, "8 rows fewer in each of down_proj, layers 0–3."),
        ("modules_rows_added", {"count": 1}, "1 more row in each of down_proj, layers 0–3."),
    ],
)
def test_tensors_of_another_shape_are_told_by_module(code, parameters, said):
    told = {"modules": ["down_proj"], "layers": [[0, 3]], "tensors": ["a", "b"], **parameters}
    assert fact_sentence({"code": code, "parameters": told}).text == said


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1.5, "1.5"), (0.25, "0.25"), (-1.0, "−1"), (1.00001001, "1.00001"), (0.99987, "0.99987"),
        (12.3456, "12.35"), (1.49998, "1.5"), (1.0, "1"),
    ],
)  # fmt: skip
def test_a_factor_near_one_has_the_digits_that_tell_it_from_one(factor, said):
    told = {"tensor": "a.weight", "factor": factor}
    sentence = fact_sentence({"code": "tensor_scaled", "parameters": told})
    assert sentence.text == f"a.weight as a whole was multiplied by {said}."

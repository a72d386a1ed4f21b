"""Which way a model answers the questions of a benchmark, by its output type."""

from typing import Any

from training.runner.answering.backbone import Backbone
from training.runner.answering.choices import Choices
from training.runner.answering.encoders import Embedded, EncoderModel, Labelled
from training.runner.answering.generated import Generated
from training.runner.answering.likelihoods import Scorer
from training.runner.answering.texts import Continuing, Rolling
from training.runner.benchmarks import Asked
from training.runner.stopping import Stop

KIND_OF = {"classification": "labels", "embedding": "encoder"}  # all others: causal
SCORED: dict[str, Any] = {
    "multiple_choice": Choices,
    "loglikelihood": Continuing,
    "loglikelihood_rolling": Rolling,
}


def prepared(model: Any, tokenizer: Any, kind: str, device: str) -> Any:
    """A loaded model, ready to answer."""
    if kind == "causal":
        return Backbone(model, tokenizer, device)
    return EncoderModel(model, tokenizer, device)


def way_of(asked: Asked, ready: Any, batch_tokens: int, stop: Stop) -> Any:
    """An object with `batches(chunk)`, and `answers(chunk, batch)`: fields of item events.

    Raises: BadBenchmarkError when the definition does not fit the model or its own output type.
    """
    definition = asked.definition
    if definition.output_type == "classification":
        return Labelled(asked, ready, batch_tokens)
    if definition.output_type == "embedding":
        return Embedded(asked, ready, batch_tokens)
    rolling = definition.output_type == "loglikelihood_rolling"
    scorer = Scorer(ready, "" if rolling else definition.fixed_context, batch_tokens)
    if definition.output_type == "generate_until":
        return Generated(asked, scorer, stop)
    return SCORED[definition.output_type](asked, scorer)

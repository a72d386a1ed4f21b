"""How models answer: log-likelihoods, generated texts, labels and embeddings."""

from typing import Any

from training.runner.answering.choices import Choices
from training.runner.benchmarks import Asked
from training.runner.job import EvaluateJob
from training.runner.scoring import Scorer
from training.runner.sides import Loaded


def way_of(job: EvaluateJob, asked: Asked, loaded: Loaded) -> Any:
    """The way in which a model answers the questions of a benchmark."""
    return Choices(asked, Scorer(loaded.model, job.device), loaded.tokenizer, job.batch_tokens)

"""Tables of runs, evaluations and gate records."""

from training.models.evaluations import Evaluation
from training.models.gates import GateRecord, GateVerdict
from training.models.metrics import LogLine, Metric
from training.models.runs import Run, RunAttempt, RunKind, RunStatus

__all__ = [
    "Evaluation",
    "GateRecord",
    "GateVerdict",
    "LogLine",
    "Metric",
    "Run",
    "RunAttempt",
    "RunKind",
    "RunStatus",
]

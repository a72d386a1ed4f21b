"""Tables of runs, benchmarks, evaluations, gate records and tries."""

from training.models.benchmarks import Benchmark, BenchmarkDirection, HiddenFile
from training.models.evaluations import Evaluation, Origin
from training.models.gates import GateRecord, GateVerdict
from training.models.items import BlindChoice, BlindVote, ItemNote, NoteKind, Pin
from training.models.job import RunStatus
from training.models.metrics import LogLine, Metric
from training.models.runs import Run, RunAttempt, RunKind
from training.models.tries import Try, TryTask

__all__ = [
    "Benchmark",
    "BenchmarkDirection",
    "BlindChoice",
    "BlindVote",
    "Evaluation",
    "GateRecord",
    "GateVerdict",
    "HiddenFile",
    "ItemNote",
    "LogLine",
    "Metric",
    "NoteKind",
    "Origin",
    "Pin",
    "Run",
    "RunAttempt",
    "RunKind",
    "RunStatus",
    "Try",
    "TryTask",
]

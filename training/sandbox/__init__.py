"""A process in bubblewrap: no network, no secrets, read-only inputs, bounded in every way."""

from training.sandbox.errors import OutputRefusedError, SandboxUnavailableError
from training.sandbox.outputs import collect, open_output
from training.sandbox.process import Sandbox
from training.sandbox.python import python_inputs, runner_argv, runner_env
from training.sandbox.values import Exit, Limits, ReadOnly

__all__ = [
    "Exit",
    "Limits",
    "OutputRefusedError",
    "ReadOnly",
    "Sandbox",
    "SandboxUnavailableError",
    "collect",
    "open_output",
    "python_inputs",
    "runner_argv",
    "runner_env",
]

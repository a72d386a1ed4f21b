"""Failures of a run: each message is one sentence that names the cause and the remedy."""


class RunnerError(Exception):
    """A failure that a person may read; `code` tells programs which one."""

    code = "run_failed"


class BadJobError(RunnerError):
    code = "bad_job"


class BadModelError(RunnerError):
    code = "bad_model"


class BadDataError(RunnerError):
    code = "bad_data"


class BadRecipeError(RunnerError):
    code = "bad_recipe"


class BadBenchmarkError(RunnerError):
    code = "bad_benchmark"


class DivergedError(RunnerError):
    code = "diverged"


class OutOfMemoryError(RunnerError):
    code = "out_of_memory"


class StoppedError(Exception):
    """The run was asked to stop; what it reached is saved."""

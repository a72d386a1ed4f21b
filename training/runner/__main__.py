"""`python -m training.runner JOB_FILE`: carry out one job and tell its events on stdout.

Exit status: 0 done, 1 failed (an `error` event says why), 143 stopped on request.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Any

from training.runner.errors import OutOfMemoryError, RunnerError, StoppedError
from training.runner.events import Events, claim_stdout
from training.runner.job import EvaluateJob, FinetuneJob, Job, TryJob, read_job
from training.runner.stopping import Stop

STOPPED_STATUS = 143


def main(arguments: list[str]) -> int:
    events, stop = claim_stdout(), Stop()
    stop.listen()
    try:
        job = read_job(Path(arguments[0]))
        prepare(job)
        events.emit("done", result=carry_out(job, events, stop))
    except StoppedError:
        events.log("Stopped on request.", level="warning")
        return STOPPED_STATUS
    except RunnerError as error:
        events.emit("error", code=error.code, message=str(error))
        return 1
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        events.emit("error", code=OutOfMemoryError.code, message=OUT_OF_MEMORY)
        return 1
    return 0


def prepare(job: Job) -> None:
    """Settle what libraries read from the environment, before they are imported."""
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    # Spinning threads of a neighbour's job, or of a nicer one, cost ten times the work.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    warnings.filterwarnings("ignore", category=FutureWarning)  # of our libraries to each other
    os.environ.update(
        HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false",
        HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error",
    )  # fmt: skip


def carry_out(job: Job, events: Events, stop: Stop) -> dict[str, Any]:
    """Run `job` with the module of its kind, imported only now."""
    import torch

    torch.set_num_threads(job.threads)
    if isinstance(job, FinetuneJob):
        from training.runner import finetune

        return finetune.run(job, events, stop)
    if isinstance(job, EvaluateJob):
        from training.runner import evaluate

        return evaluate.run(job, events, stop)
    if isinstance(job, TryJob):
        from training.runner import trying

        return trying.run(job, events, stop)
    from training.runner import convert

    return convert.run(job, events)


OUT_OF_MEMORY = (
    "The run needs more memory than its limit; lower per_device_train_batch_size or max_length, "
    "or ask for a larger limit."
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` is any of the ways in which torch and Python say so."""
    said = str(error)
    return isinstance(error, MemoryError) or "allocate memory" in said or "out of memory" in said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The sandboxed process of a run: `python -m training.runner job.json`. torch lives here."""

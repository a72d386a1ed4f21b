"""Why a run ends before its work is done."""

from hub.errors import UnprocessableError


class RunFailedError(UnprocessableError):
    """The run cannot succeed: one sentence that names the cause and the remedy."""


class RunCancelledError(Exception):
    """Somebody asked for the run to stop."""

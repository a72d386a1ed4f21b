"""Why a process could not be run inside, or what it left could not be taken."""

from hub.errors import HubError


class SandboxUnavailableError(HubError):
    """The sandbox cannot start here. The run fails; nothing is run outside it instead."""

    code = "SandboxUnavailable"
    http_status = 503


class OutputRefusedError(HubError):
    """A file that a process left is missing, too large, or no plain file."""

    code = "OutputRefused"
    http_status = 422

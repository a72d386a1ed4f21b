"""Why a request did not go out, or brought nothing back. `str(error)` may be shown to its owner."""


class OutgoingError(Exception):
    """The other side did not answer as it should: retrying may help."""


class RefusedUrlError(OutgoingError):
    """The URL itself cannot be used."""


class RefusedAddressError(OutgoingError):
    """The host's address is none that this server sends to."""


class AnswerTooLargeError(OutgoingError):
    """The answer is above the limit."""

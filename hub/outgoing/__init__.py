"""The one way out: HTTP to servers that people name, kept away from what only we can reach.

Rules (threat A4): every address of the host must be a public one or allowed by the operator, the
connection goes to the address that was checked, redirects and proxies are not followed, and one
request takes at most ten seconds and one mebibyte.
"""

from hub.outgoing.addresses import Allowed, check_url
from hub.outgoing.client import Answer, send
from hub.outgoing.errors import (
    AnswerTooLargeError,
    OutgoingError,
    RefusedAddressError,
    RefusedUrlError,
)

__all__ = [
    "Allowed",
    "Answer",
    "AnswerTooLargeError",
    "OutgoingError",
    "RefusedAddressError",
    "RefusedUrlError",
    "check_url",
    "send",
]

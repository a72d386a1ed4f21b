"""Guesses at the sign-in page, counted so that nobody shuts anybody else out (threat A2).

The small number is for one name from one address. An address has a large one, for behind it may
sit an office; a name has one over an hour, against guesses from many addresses, which does not
bind an address that this person signed in from lately. A try that is refused counts no further:
whoever goes on at one address uses up nothing of anybody else.
"""

from __future__ import annotations

from enum import Enum

from django.core.cache import cache
from django.http import HttpRequest

from hub.http.throttle import TRIES, client_address, count_try, forgive_try

ADDRESS_TRIES = 100
# More than one address can make in that time, twelve windows of ten.
NAME_TRIES, NAME_WINDOW_SECONDS = 200, 3600
KNOWN_SECONDS = 30 * 24 * 3600


class Refusal(Enum):
    SOON = "five minutes"
    LATER = "an hour"


def _keys(request: HttpRequest, username: str) -> tuple[str, str, str, str]:
    name, address = username.lower(), client_address(request)
    pair = f"{len(name)}:{name}:{address}"
    return (
        f"sign-in:pair:{pair}",
        f"sign-in:from:{address}",
        f"sign-in:name:{name}",
        f"sign-in:known:{pair}",
    )


def count_guess(request: HttpRequest, username: str) -> Refusal | None:
    """Count a try; why it is refused, None when the password may be looked at."""
    pair, address, name, known = _keys(request, username)
    if count_try(pair) > TRIES or count_try(address) > ADDRESS_TRIES:
        return Refusal.SOON
    guesses = count_try(name, window_seconds=NAME_WINDOW_SECONDS)
    return Refusal.LATER if guesses > NAME_TRIES and not cache.get(known) else None


def was_right(request: HttpRequest, username: str) -> None:
    """A right password is no guess, and its address is known from now on."""
    pair, address, name, known = _keys(request, username)
    cache.delete(pair)
    forgive_try(address)
    forgive_try(name)
    cache.set(known, True, KNOWN_SECONDS)

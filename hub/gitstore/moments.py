"""Times as commits claim them."""

from datetime import UTC, datetime

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def moment_of(seconds: int) -> datetime:
    """A commit's time; a pushed commit may claim any year."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return _LATEST if seconds > 0 else _EARLIEST

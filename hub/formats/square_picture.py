"""Pictures that somebody sends, written anew as small squares by a process that may fall."""

import subprocess
import sys
from pathlib import Path

from hub.formats.images import HEAD_BYTES, picture_size

SIDE = 128
PIXELS_LIMIT = 40_000_000
SIDE_LIMIT = 12_000
SECONDS_LIMIT = 20
_SCRIPT = Path(__file__).with_name("square_script.py")


def square_picture(data: bytes) -> bytes | None:
    """A WebP of SIDE times SIDE pixels, the middle of the picture `data`, and nothing else of it.

    None for what is no PNG, JPEG or WebP, has too many pixels, or is damaged.
    """
    size = picture_size(data[:HEAD_BYTES])
    if size is None or size[0] * size[1] > PIXELS_LIMIT or max(size) > SIDE_LIMIT:
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_SCRIPT), str(SIDE)],
            input=data,
            capture_output=True,
            env={},
            timeout=SECONDS_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 and done.stdout else None

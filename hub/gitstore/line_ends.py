"""Line ends that a text had before somebody edited it in a form, which sends others."""

import re
from collections import Counter

import pygit2
from pygit2.enums import DiffOption

_END = re.compile(rb"(\r\n|\r|\n)")


def with_line_ends_of(old: bytes, text: bytes) -> bytes:
    """`text`, whose lines end in LF, with the line ends of `old`.

    A line that stayed or was changed keeps its own, a line between has that of the one above.
    """
    if b"\r" not in old:
        return text
    pieces = _END.split(old)
    contents, ends = pieces[0::2], pieces[1::2]
    lines, usual = text.split(b"\n"), Counter(ends).most_common(1)[0][0]
    kept = _kept(b"\n".join(contents), text, len(lines))
    made = bytearray()
    last = usual
    for line, before in zip(lines[:-1], kept, strict=False):
        if before is not None and before < len(ends):
            last = ends[before]
        # CR and LF of two breaks side by side would read as one.
        joins = not line and last == b"\n" and made.endswith(b"\r")
        made += line + (b"\r\n" if joins else last)
    return bytes(made + lines[-1])


def _kept(old: bytes, new: bytes, count: int) -> list[int | None]:
    """For each of `count` lines of `new` the line of `old` that it was."""
    found: list[int | None] = []
    at = 0
    patch = pygit2.Patch.create_from(old, new, flag=DiffOption.FORCE_TEXT, context_lines=0)
    for hunk in patch.hunks:
        # Where a side has no lines, git names the line before.
        same = hunk.new_start - (1 if hunk.new_lines else 0) - len(found)
        found += range(at, at + same)
        at += same
        found += [at + n if n < hunk.old_lines else None for n in range(hunk.new_lines)]
        at += hunk.old_lines
    found += range(at, at + max(0, count - len(found)))
    return found

"""Which paths and ref names may enter a repository: one rule for the API and for pushes.

Backslashes are ordinary characters, as git and huggingface_hub treat them; only parts that
Windows would read as `.git` are refused. Threats G1 and G4.
"""

import re
import unicodedata
from dataclasses import dataclass

from hub.errors import BadInputError, PathRefusedError

PART_LIMIT_BYTES = 255
PATH_LIMIT_BYTES = 1024
DEPTH_LIMIT = 32

# Control, format (bidi, zero-width), surrogate, line and paragraph separator.
_REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_GIT_FOLDER = re.compile(r"(\.git|git~[0-9]+)[ .]*", re.IGNORECASE)
_SHORT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")
_PULL_REQUEST = re.compile(r"refs/pr/[1-9][0-9]{0,8}")
_OID_LIKE = re.compile(r"[0-9a-fA-F]{40}")
_NAMED_KINDS = ("refs/heads/", "refs/tags/", "refs/convert/")
VISIBLE = (*_NAMED_KINDS, "refs/pr/")


@dataclass(frozen=True)
class PathProblem:
    """Why a path is refused: a reason for programs, and the rest of an English sentence."""

    reason: str
    rest: str
    limit: int = 0


_TOO_LONG = PathProblem(
    "too_long", f"is longer than {PATH_LIMIT_BYTES} bytes.", limit=PATH_LIMIT_BYTES
)
_TOO_DEEP = PathProblem(
    "too_deep", f"is nested deeper than {DEPTH_LIMIT} folders.", limit=DEPTH_LIMIT
)
_DOTS_FIRST = PathProblem("dots_first", "begins with '..'.")
_EMPTY_PART = PathProblem("empty_part", "has an empty, '.' or '..' part.")
_HIDDEN_SIGN = PathProblem(
    "hidden_sign", "has a control, invisible or text-direction character, or is not UTF-8."
)
_COLON = PathProblem("colon", "has a colon.")
_PART_TOO_LONG = PathProblem(
    "part_too_long", f"has a part longer than {PART_LIMIT_BYTES} bytes.", limit=PART_LIMIT_BYTES
)
_GITS_OWN = PathProblem("gits_own", "has a part that git keeps for itself.")


def check_path(path: str) -> str:
    """`path` itself, when it may name a file in a repository.

    Raises: PathRefusedError with the reason.
    """
    parts = path.split("/")
    if problem := path_problem(path, parts):
        shown = f"{path[:200]!r}"  # what cannot be printed is written out
        raise PathRefusedError(
            f"The path {shown} {problem.rest}", problem.reason, path=shown, limit=problem.limit
        )
    return path


def path_problem(path: str, parts: list[str]) -> PathProblem | None:
    """Why `path` is refused; None when it is fine."""
    if len(path) > PATH_LIMIT_BYTES or len(path.encode("utf-8", "replace")) > PATH_LIMIT_BYTES:
        return _TOO_LONG
    if len(parts) > DEPTH_LIMIT:
        return _TOO_DEEP
    if parts[0].startswith(".."):
        return _DOTS_FIRST
    return next(filter(None, map(part_problem, parts)), None)


def part_problem(part: str) -> PathProblem | None:
    """Why one part of a path is refused; None when it is fine."""
    if part in ("", ".", ".."):
        return _EMPTY_PART
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in part):
        return _HIDDEN_SIGN
    if ":" in part:
        return _COLON
    if len(part.encode()) > PART_LIMIT_BYTES:
        return _PART_TOO_LONG
    if any(_GIT_FOLDER.fullmatch(piece) for piece in part.split("\\")):
        return _GITS_OWN
    return None


def below_a_file(path: str) -> PathRefusedError:
    """What is said of a path where a part that should be a folder is a file."""
    said = f"{path} would lie below a file; delete that file first."
    return PathRefusedError(said, "below_a_file", path=path)


def is_a_folder(path: str) -> PathRefusedError:
    """What is said of the path of a file where a folder lies."""
    return PathRefusedError(f"{path} is a folder; delete it first.", "is_a_folder", path=path)


def check_ref_name(ref: str) -> str:
    """`ref` itself, when it is a full name we accept: refs/heads/x, refs/tags/x, refs/pr/N.

    Raises: BadInputError with the reason.
    """
    if _PULL_REQUEST.fullmatch(ref):
        return ref
    kind = next((kind for kind in _NAMED_KINDS if ref.startswith(kind)), None)
    if kind is None:
        raise BadInputError(f"{ref[:200]!a} is no branch, tag or pull request.")
    check_short_name(ref.removeprefix(kind))
    return ref


def check_short_name(name: str) -> str:
    """`name` itself, when a branch or tag may be called so.

    Raises: BadInputError with the reason.
    """
    broken = (
        not _SHORT_NAME.fullmatch(name)
        or _OID_LIKE.fullmatch(name)
        or name == "HEAD"
        or name.startswith("refs/")
        or name.endswith((".", "/"))
        or any(bad in name for bad in ("..", "//", "/."))
        or any(part.endswith(".lock") for part in name.split("/"))
    )
    if broken:
        raise BadInputError(
            f"{name[:200]!a} cannot name a branch or tag: use letters, digits and . _ / - only, "
            "beginning with a letter or digit, and nothing that looks like a commit id."
        )
    return name

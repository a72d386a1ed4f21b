"""Which paths and ref names may enter a repository: one rule for the API and for pushes.

Backslashes are ordinary characters, as git and huggingface_hub treat them; only parts that
Windows would read as `.git` are refused. Threats G1 and G4.
"""

import re
import unicodedata

from hub.errors import BadInputError, UnprocessableError

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


def check_path(path: str) -> str:
    """`path` itself, when it may name a file in a repository.

    Raises: UnprocessableError with the reason.
    """
    parts = path.split("/")
    if problem := path_problem(path, parts):
        raise UnprocessableError(f"The path {path[:200]!a} {problem}")
    return path


def path_problem(path: str, parts: list[str]) -> str | None:
    """Why `path` is refused, as the rest of a sentence; None when it is fine."""
    if len(path) > PATH_LIMIT_BYTES or len(path.encode("utf-8", "replace")) > PATH_LIMIT_BYTES:
        return f"is longer than {PATH_LIMIT_BYTES} bytes."
    if len(parts) > DEPTH_LIMIT:
        return f"is nested deeper than {DEPTH_LIMIT} folders."
    if parts[0].startswith(".."):
        return "begins with '..'."
    return next(filter(None, map(part_problem, parts)), None)


def part_problem(part: str) -> str | None:
    """Why one part of a path is refused, as the rest of a sentence; None when it is fine."""
    if part in ("", ".", ".."):
        return "has an empty, '.' or '..' part."
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in part):
        return "has a control, invisible or text-direction character, or is not UTF-8."
    if ":" in part:
        return "has a colon."
    if len(part.encode()) > PART_LIMIT_BYTES:
        return f"has a part longer than {PART_LIMIT_BYTES} bytes."
    if any(_GIT_FOLDER.fullmatch(piece) for piece in part.split("\\")):
        return "has a part that git keeps for itself."
    return None


def below_a_file(path: str) -> UnprocessableError:
    """What is said of a path where a part that should be a folder is a file."""
    return UnprocessableError(f"{path} would lie below a file; delete that file first.")


def is_a_folder(path: str) -> UnprocessableError:
    """What is said of the path of a file where a folder lies."""
    return UnprocessableError(f"{path} is a folder; delete it first.")


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

"""URL converters: read kind, names, revision and path once.

A revision is one segment of the raw path, so `refs%2Fpr%2F1` must not be split. The middleware
`RawPathMiddleware` decodes the path but leaves `%2F` as SLASH, which these turn into `/`.
"""

from __future__ import annotations

from hub.models import Kind

# A control character: no path in a repository may hold it, and raw `%1F` is refused.
SLASH = "\x1f"


class _Text:
    def to_python(self, value: str) -> str:
        return value.replace(SLASH, "/")

    def to_url(self, value: str) -> str:
        return str(value)


class SegmentConverter(_Text):
    """A namespace or a repository name, as loosely spelled as a URL allows."""

    regex = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"


class RevisionConverter(_Text):
    """One segment; an encoded slash belongs to it."""

    regex = r"[^/]+"

    def to_url(self, value: str) -> str:
        # Django quotes the result once more, except `/`: an encoded one must survive as `%2F`.
        return str(value).replace("/", SLASH)


class PathConverter(_Text):
    """A path inside a repository; slashes may be encoded or not."""

    regex = r".+"


class PluralKindConverter:
    """`models`, `datasets`, `spaces` or `kernels`, as in `/api/models/…`."""

    regex = "|".join(f"{kind}s" for kind in Kind.values)

    def to_python(self, value: str) -> Kind:
        return Kind(value[:-1])

    def to_url(self, value: str) -> str:
        return f"{Kind(value).value}s"

"""Where links and pictures of Markdown lead: into the repository, or out of the hub by few ways."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from posixpath import normpath
from urllib.parse import unquote, urlsplit

# Where a relative link leads: the path from the repository's root, and whether it is an image.
# None leaves the link without a target.
LinkMaker = Callable[[str, bool], str | None]
# The data: address of a picture that is kept beside the text, by its name; None for no picture.
Attached = Callable[[str], str | None]

ID_PREFIX = "user-content-"
SCHEMES = frozenset({"http", "https", "mailto"})
ATTACHMENT = "attachment"
_SPACES_AND_CONTROLS = re.compile(r"[\x00-\x20\x7f-\x9f]")


@dataclass(frozen=True)
class Targets:
    """Where what a text names lies: see `render_document`."""

    link: LinkMaker | None = None
    folder: str = ""
    attached: Attached | None = None

    def picture(self, value: str) -> str | None:
        """The address of a picture, one that is kept beside the text too; None for none."""
        scheme, colon, name = value.partition(":")
        if colon and scheme == ATTACHMENT:
            return self.attached(unquote(name)) if self.attached else None
        return self.leads(value, is_image=True)

    def leads(self, value: str, *, is_image: bool) -> str | None:
        """The address that a link or a picture gets; None for none."""
        address = _SPACES_AND_CONTROLS.sub("", value)
        if address.startswith("#"):
            return "#" + ID_PREFIX + address[1:].removeprefix(ID_PREFIX)
        try:
            parts = urlsplit(address)
        except ValueError:
            return None
        if parts.scheme or parts.netloc or address.startswith(("//", "/\\", "\\")):
            return None if is_image or parts.scheme not in SCHEMES else address
        if address.startswith("/"):
            return address
        path = normpath(f"{self.folder}/{unquote(parts.path)}".lstrip("/")) if parts.path else ""
        is_here = path and not path.startswith("..")
        made = self.link(path, is_image) if self.link and is_here else None
        if made is None or not made.startswith(("/", "http://", "https://")):
            return None
        return made + (f"#{parts.fragment}" if parts.fragment else "")

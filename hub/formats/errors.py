"""What a reader of uploaded files raises: one class a format, each a plain refusal."""

from hub.errors import BadInputError


class FormatError(BadInputError):
    """The file is not what it claims to be, or larger than the hub reads."""


class YamlError(FormatError):
    """Not the plain, bounded YAML the hub reads."""


class JsonError(FormatError):
    """Not the strict, bounded JSON the hub reads. `repeated` is the key that stands twice."""

    def __init__(self, message: str, *, repeated: str | None = None) -> None:
        super().__init__(message)
        self.repeated = repeated


class CardError(FormatError):
    """The front matter of a README cannot be rewritten safely."""


class SafetensorsError(FormatError):
    """Not a safetensors header the hub trusts.

    `fault` is "duplicate" or "overlapping" where one `tensor` is to blame for it.
    """

    def __init__(
        self, message: str, *, fault: str = "unreadable", tensor: str | None = None
    ) -> None:
        super().__init__(message)
        self.fault, self.tensor = fault, tensor


class AccessFormError(BadInputError):
    """An answer to a gated repository's form is missing or does not fit its field."""

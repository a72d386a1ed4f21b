"""Refusals: each names its cause and remedy, its `X-Error-Code` and its HTTP status."""


class HubError(Exception):
    """A refusal that a person may read. `str(error)` is the sentence shown to them.

    `extra` goes into the JSON answer beside the sentence.
    """

    code = "InternalError"
    http_status = 500
    extra: dict[str, str] | None = None


class CodedError(Exception):
    """Why work cannot be done: `code` and `parameters`, which doors tell in the reader's language.

    The message is English for logs.
    """

    def __init__(self, code: str, **parameters: object) -> None:
        told = ", ".join(f"{name}={value}" for name, value in parameters.items())
        super().__init__(f"{code}: {told}" if told else code)
        self.code, self.parameters = code, parameters


class BadInputError(HubError):
    code = "BadRequest"
    http_status = 400


class UnauthenticatedError(HubError):
    code = "Unauthenticated"
    http_status = 401


class InvalidCredentialsError(UnauthenticatedError):
    """The token or password is wrong, expired or revoked."""

    def __init__(self, message: str = "Invalid credentials in Authorization header") -> None:
        # huggingface_hub compares this literal to tell a bad token from a hidden repository.
        super().__init__(message)


class ForbiddenError(HubError):
    code = "Forbidden"
    http_status = 403


class OAuthError(HubError):
    """A refusal in the words of RFC 6749: programs read `error`, people its description."""

    http_status = 400

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.extra = {"error": code, "error_description": sentence}


class GatedRepositoryError(HubError):
    """The repository is seen, its files are not. `ask_path`: the page where to ask for them."""

    code = "GatedRepo"
    http_status = 403

    def __init__(self, message: str, *, ask_path: str = "") -> None:
        super().__init__(message)
        self.ask_path = ask_path


class NotFoundError(HubError):
    code = "NotFound"
    http_status = 404


class RepositoryNotFoundError(NotFoundError):
    """Hidden and missing read alike. Anonymous readers get 401, so that clients ask to log in."""

    code = "RepoNotFound"


class RepositoryMovedError(HubError):
    """The repository has another name now; the answer leads there and keeps method and body."""

    code = "RepoMoved"
    http_status = 307

    def __init__(self, message: str, paths: dict[str, str]) -> None:
        self.paths = paths  # the new one for each old one, without leading slashes
        super().__init__(message)


class RevisionNotFoundError(NotFoundError):
    code = "RevisionNotFound"


class EntryNotFoundError(NotFoundError):
    code = "EntryNotFound"


class ConflictError(HubError):
    code = "Conflict"
    http_status = 409


class BranchMovedError(ConflictError):
    """The branch is not where the caller believed: nothing has moved."""

    code = "BranchMoved"
    http_status = 412

    def __init__(
        self,
        message: str = (
            "The branch was updated since you opened this page. Please refresh and try again."
        ),
    ) -> None:
        # huggingface_hub shows and tests this sentence.
        super().__init__(message)


class MergeConflictError(ConflictError):
    """Both sides changed the same lines of `paths`; nothing has moved.

    Without paths the two histories share no commit.
    """

    code = "MergeConflict"

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        shown = ", ".join(paths[:5]) + (" …" if len(paths) > 5 else "")
        cause = f"Both sides changed {shown}." if paths else "The two branches share no commit."
        super().__init__(f"{cause} Bring the proposal up to date, then retry.")


class AlreadyDecidedError(ConflictError):
    code = "AlreadyDecided"


class TooLargeError(HubError):
    code = "TooLarge"
    http_status = 413


class UnsatisfiableRangeError(HubError):
    code = "RangeNotSatisfiable"
    http_status = 416


class UnprocessableError(HubError):
    code = "Unprocessable"
    http_status = 422


class PathRefusedError(UnprocessableError):
    """A path that no commit takes: `reason` and `parameters`, which doors tell in the reader's
    language. The message is English."""

    def __init__(self, message: str, reason: str, **parameters: object) -> None:
        super().__init__(message)
        self.reason, self.parameters = reason, parameters


class ThrottledError(HubError):
    code = "Throttled"
    http_status = 429


class StorageUnavailableError(HubError):
    """A part the hub stands on does not answer for the moment; retrying is right."""

    code = "Unavailable"
    http_status = 503


class StorageFullError(HubError):
    code = "StorageFull"
    http_status = 507

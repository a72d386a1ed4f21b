"""Files brought in from a browser: a plain form, and all that the script of the page needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from hub.actions import commits, large_files, ways
from hub.actions.editing import replaced_files
from hub.errors import (
    BadInputError,
    ConflictError,
    HubError,
    TooLargeError,
    UnauthenticatedError,
)
from hub.gitstore import AddFile, AddPointer, check_path
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.http.path_words import sentence_of
from hub.models import Repository
from hub.web.changing import CommitForm, Ground, done, ground_of

# What the form without a script takes at once.
FILES_LIMIT = 50
Added = AddFile | AddPointer


class WouldReplaceError(ConflictError):
    """Files lie where the upload would put others; nothing has moved."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        super().__init__(
            _(
                "Nothing was committed. Files with other content lie here under the same names: "
                "tick those that you want to replace, and choose your files again."
            )
        )


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def upload(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """Choose files and folders for the folder `path`, in one commit."""
    ground, folder = ground_of(request, repository, revision), path.strip("/")
    form = CommitForm(ground, request.POST or None, title=_("Upload files"))
    form.fields["parent"].required = False
    would_replace: WouldReplaceError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            return _commit(request, ground, folder, form)
        except UnauthenticatedError:
            raise
        except WouldReplaceError as error:
            would_replace = error
        except HubError as error:
            form.add_error(None, sentence_of(error))
    context = frame(repository, "files") | ground.context(folder) | _addresses(ground, folder)
    context |= {"form": form, "files_limit": FILES_LIMIT, "would_replace": would_replace}
    status = 422 if request.method == "POST" else 200
    return render(request, "hub/upload.html", context, status=status)


def _commit(request: HttpRequest, ground: Ground, folder: str, form: CommitForm) -> HttpResponse:
    aim = form.aim()
    operations = _operations(request, ground, folder, request.FILES.getlist("files"))
    replaced = replaced_files(ground.repository.store(), ground.head, operations)
    if not set(replaced) <= set(request.POST.getlist("replace")):
        raise WouldReplaceError(replaced)
    made = commits.commit_files(
        ground.repository,
        actor_of(request),
        revision=ground.revision,
        operations=operations,
        title=aim.title,
        description=aim.description,
        parent=ground.head,  # where others have put a file meanwhile, its reader is asked too
        create_pr=aim.propose,
    )
    return done(request, ground, made, ground.url("tree", folder))


def _operations(
    request: HttpRequest, ground: Ground, folder: str, files: Sequence[UploadedFile]
) -> list[Added]:
    """What git is to do; large files are stored on the way."""
    if not files:
        raise BadInputError(_("Choose at least one file."))
    if len(files) > FILES_LIMIT:
        raise TooLargeError(_("Send at most %(limit)s files at once.") % {"limit": FILES_LIMIT})
    rules = ways.large_file_rules(ground.repository.store(), ground.head)
    large_files.require_uploader(ground.repository, actor_of(request))
    return [_operation(ground.repository, folder, file, rules) for file in files]


def _operation(repository: Repository, folder: str, file: UploadedFile, rules: Any) -> Added:
    path = check_path(f"{folder}/{file.name}" if folder else str(file.name))
    sample = file.read(ways.SAMPLE_BYTES)
    file.seek(0)
    if ways.is_large(rules, path, size_bytes=file.size or 0, sample=sample):
        stored = large_files.store(repository, file)
        return AddPointer(path, stored.sha256, stored.size_bytes)
    return AddFile(path, file.read())


def _addresses(ground: Ground, folder: str) -> dict[str, Any]:
    """Where the script asks, sends and commits."""
    repository = ground.repository
    api, revision = f"/api/{repository.kind}s/{repository.repo_id}", quote(ground.revision, safe="")
    return {
        "folder": folder,
        "preupload_url": f"{api}/preupload/{revision}",
        "commit_url": f"{api}/commit/{revision}",
        "batch_url": f"/{repository.path}.git/info/lfs/objects/batch",
        "tree_url": ground.url("tree", folder),
        "limits": {
            "part": settings.SMALL_PART_BYTES,
            "body": settings.COMMIT_BODY_LIMIT_BYTES,
            "files": settings.COMMIT_OPERATIONS_LIMIT,
            "file": settings.LARGE_FILE_LIMIT_BYTES,
        },
    }

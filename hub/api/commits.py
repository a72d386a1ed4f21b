"""POST /api/{kind}s/{namespace}/{name}/commit/{revision}: one commit, or a pull request."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import commits, large_files, refs
from hub.api import shapes
from hub.api.ndjson import LargeFile, Line, read_commit
from hub.api.parameters import CREATE_PR
from hub.api.spool import Spool
from hub.api.uploads import release_connection
from hub.api.views import RepositoryView
from hub.api.wire import flag
from hub.blobstore.landing import storage_full_refused
from hub.errors import BadInputError
from hub.gitstore import AddPointer, Operation
from hub.http.bodies import Body, read_away
from hub.models import RepoId, Repository
from hub.policies import asked_again


class CommitView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/commit/{revision}"""

    @extend_schema(
        summary=_("Commit files, or propose to (create_pr=1)"),
        parameters=[CREATE_PR],
        request={"application/x-ndjson": OpenApiTypes.STR},
        responses={200: shapes.CommittedShape},
    )
    def post(self, request: Request, repo: RepoId, revision: str) -> Response:
        repository, create_pr = self.repository, flag(request, "create_pr")
        # Refused before a body of a hundred megabytes is read.
        ref = refs.target_ref(repository.store(), revision)
        if create_pr:
            commits.require_proposal(repository, self.actor, ref)
        else:
            refs.require_writable(repository, self.actor, ref)
        release_connection()  # while the body arrives
        with storage_full_refused(), Spool() as spool:
            sent = read_commit(Body(request._request), spool)
            repository = asked_again(self.actor, repository)
            made = commits.commit_files(
                repository,
                self.actor,
                revision=revision,
                operations=operations_of(repository, sent.lines),
                title=sent.summary,
                description=sent.description,
                parent=sent.parent,
                create_pr=create_pr,
            )
        answer = {
            "success": True,
            "commitOid": made.oid,
            "commitUrl": f"{repository.public_url()}/commit/{made.oid}",
        }
        if made.proposal:
            answer["pullRequestUrl"] = f"{settings.PUBLIC_URL}{made.proposal.path}"
        return Response(answer)

    def handle_exception(self, exc: Exception) -> Any:
        read_away(self.request._request)
        return super().handle_exception(exc)


def operations_of(repository: Repository, lines: list[Line]) -> list[Operation]:
    """What git is to do, with the sizes of large files that clients leave out.

    Raises: BadInputError for a large file that was never uploaded here.
    """
    wanted = [line.sha256 for line in lines if isinstance(line, LargeFile)]
    stored = large_files.links(repository, wanted) if wanted else {}
    operations: list[Operation] = []
    for line in lines:
        if not isinstance(line, LargeFile):
            operations.append(line)
        elif line.sha256 not in stored:
            raise BadInputError(
                f"The content of {line.path[:200]!r} ({line.sha256}) was never uploaded to this "
                "repository: upload it, then commit."
            )
        else:
            size = stored[line.sha256].size_bytes if line.size_bytes is None else line.size_bytes
            operations.append(AddPointer(line.path, line.sha256, size))
    return operations

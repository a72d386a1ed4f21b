"""What the API answers and takes, as OpenAPI shows it.

Views build these bodies themselves (`representation`), for speed; `tests/hub/test_openapi.py`
holds what they really send against these descriptions.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DictField,
    FloatField,
    IntegerField,
    JSONField,
    ListField,
)

from hub.models import Kind, Visibility

Shape = serializers.Serializer


class Moment(CharField):
    """UTC with milliseconds, as in `2026-01-31T12:00:00.000Z`."""


class AutoField(JSONField):
    """A choice or false: what `gated` is."""


class EmptyShape(Shape[Any]):
    """Only the status counts."""


def texts(**more: Any) -> ListField:
    return ListField(child=CharField(), **more)


# Repositories ----------------------------------------------------------------------------------
class RepositoryNameShape(Shape[Any]):
    """Which repository is meant: `name` with `organization`, or `namespace/name` alone."""

    name = CharField(max_length=200)
    organization = CharField(required=False, allow_null=True, help_text="Yourself by default.")
    type = ChoiceField(choices=Kind.choices, default=Kind.MODEL)


class CreateShape(RepositoryNameShape):
    visibility = ChoiceField(choices=Visibility.choices, required=False, allow_null=True)
    private = BooleanField(required=False, allow_null=True, help_text="The older `visibility`.")


class CreatedShape(Shape[Any]):
    url = CharField()
    name = CharField()
    id = CharField()


class MoveShape(Shape[Any]):
    fromRepo = CharField(max_length=200, help_text="namespace/name, also an earlier one.")
    toRepo = CharField(max_length=200, help_text="namespace/name")
    type = ChoiceField(choices=Kind.choices, default=Kind.MODEL)


class DuplicateShape(Shape[Any]):
    repository = CharField(max_length=200, help_text="namespace/name of the copy")
    visibility = ChoiceField(choices=Visibility.choices, required=False, allow_null=True)
    private = BooleanField(required=False, allow_null=True, help_text="The older `visibility`.")


class AddressShape(Shape[Any]):
    url = CharField(help_text="Of its page.")


class StorageShape(Shape[Any]):
    id = CharField(help_text="namespace/name")
    type = ChoiceField(choices=Kind.choices)
    updatedAt = Moment()
    visibility = ChoiceField(choices=Visibility.choices)
    storage = IntegerField(help_text="Bytes: large files, and what git takes.")
    storagePercent = FloatField(help_text="Of all that this owner's repositories take.")


_TAG: dict[str, Any] = {
    "id": CharField(help_text="What `filter` of the lists takes."),
    "label": CharField(),
    "type": CharField(),
}
CatalogueTagShape: Any = inline_serializer("CatalogueTag", fields=_TAG).__class__


class SettingsShape(Shape[Any]):
    visibility = ChoiceField(choices=Visibility.choices, required=False, allow_null=True)
    private = BooleanField(required=False, allow_null=True)
    gated = AutoField(required=False, help_text="“auto”, “manual” or false.")


class SettingsNowShape(Shape[Any]):
    private = BooleanField()
    gated = AutoField(help_text="“auto”, “manual” or false.")


class LargeFileFactsShape(Shape[Any]):
    size = IntegerField()
    sha256 = CharField()
    pointerSize = IntegerField()


class SiblingShape(Shape[Any]):
    rfilename = CharField()
    size = IntegerField(required=False)
    blobId = CharField(required=False)
    lfs = LargeFileFactsShape(required=False)


_INFO: dict[str, Any] = {
    "_id": CharField(required=False),
    "modelId": CharField(required=False),
    "author": CharField(required=False),
    "sha": CharField(required=False, help_text="The commit this is said of."),
    "createdAt": Moment(required=False),
    "lastModified": Moment(required=False),
    "private": BooleanField(required=False),
    "gated": AutoField(required=False, help_text="“auto”, “manual” or false."),
    "disabled": BooleanField(required=False),
    "downloads": IntegerField(required=False),
    "downloadsAllTime": IntegerField(required=False),
    "likes": IntegerField(required=False),
    "tags": texts(required=False),
    "cardData": DictField(required=False, allow_null=True, help_text="The front matter."),
    "pipeline_tag": CharField(required=False, allow_null=True),
    "library_name": CharField(required=False, allow_null=True),
    "config": DictField(required=False, allow_null=True),
    "safetensors": DictField(
        required=False, allow_null=True, help_text="Parameters by dtype, and their total."
    ),
    "usedStorage": IntegerField(required=False, help_text="Bytes."),
    "siblings": SiblingShape(required=False, many=True),
    "description": CharField(required=False, allow_null=True),
    "citation": CharField(required=False, allow_null=True),
    "transformersInfo": DictField(required=False, allow_null=True),
    "id": CharField(help_text="namespace/name"),
}
InfoShape: Any = inline_serializer("RepositoryInfo", fields=_INFO).__class__


# Files and history -----------------------------------------------------------------------------
class PointerShape(Shape[Any]):
    oid = CharField(help_text="sha256 of the content")
    size = IntegerField()
    pointerSize = IntegerField()


class LastCommitShape(Shape[Any]):
    id = CharField()
    title = CharField()
    date = Moment()


class EntryShape(Shape[Any]):
    """A file or a folder; `lfs` where the content is a large file."""

    type = ChoiceField(choices=("file", "directory"))
    oid = CharField(help_text="Of the blob or tree in git.")
    size = IntegerField()
    path = CharField()
    lfs = PointerShape(required=False)
    xetHash = CharField(required=False)
    lastCommit = LastCommitShape(required=False, allow_null=True)


class PathsShape(Shape[Any]):
    paths = texts(max_length=1000)
    expand = BooleanField(default=False)


class RefShape(Shape[Any]):
    name = CharField()
    ref = CharField()
    targetCommit = CharField()


class RefsShape(Shape[Any]):
    branches = RefShape(many=True)
    tags = RefShape(many=True)
    converts = RefShape(many=True)
    pullRequests = RefShape(many=True, required=False)


class AuthorShape(Shape[Any]):
    user = CharField()


class FormattedShape(Shape[Any]):
    title = CharField()
    message = CharField()


class CommitShape(Shape[Any]):
    id = CharField()
    title = CharField()
    message = CharField()
    authors = AuthorShape(many=True)
    date = Moment()
    formatted = FormattedShape(required=False)


class BranchShape(Shape[Any]):
    startingPoint = CharField(required=False, allow_null=True, max_length=256)


class TagShape(Shape[Any]):
    tag = CharField(max_length=256)
    message = CharField(required=False, allow_null=True)


class OidShape(Shape[Any]):
    oid = CharField()


class AnnouncedFileShape(Shape[Any]):
    path = CharField(max_length=4096)
    size = IntegerField(min_value=0)
    sample = CharField(required=False, allow_blank=True, help_text="base64 of the first bytes")


class PreuploadShape(Shape[Any]):
    files = AnnouncedFileShape(many=True)
    gitIgnore = CharField(required=False, allow_null=True)


class FileModeShape(Shape[Any]):
    path = CharField()
    uploadMode = ChoiceField(choices=("lfs", "regular"))
    shouldIgnore = BooleanField()
    oid = CharField(required=False, help_text="What lies at that path now.")
    size = IntegerField(required=False, help_text="Its bytes.")
    refused = CharField(required=False, help_text="Why no commit takes a file of this path.")


class PreuploadAnswerShape(Shape[Any]):
    files = FileModeShape(many=True)


class CommittedShape(Shape[Any]):
    success = BooleanField()
    commitOid = CharField()
    commitUrl = CharField()
    pullRequestUrl = CharField(required=False)


# Large files -----------------------------------------------------------------------------------
class WantedShape(Shape[Any]):
    oid = CharField(min_length=64, max_length=64)
    size = IntegerField(min_value=0)


class VerifyShape(Shape[Any]):
    oid = CharField(required=False)
    size = IntegerField(required=False)


class BatchShape(Shape[Any]):
    operation = ChoiceField(choices=("upload", "download"))
    transfers = texts(required=False)
    objects = WantedShape(many=True)
    hash_algo = CharField(required=False)


class BatchObjectShape(WantedShape):
    authenticated = BooleanField(required=False)
    actions = DictField(required=False)
    error = DictField(required=False)


class BatchAnswerShape(Shape[Any]):
    transfer = CharField()
    objects = BatchObjectShape(many=True)
    hash_algo = CharField()


class LocksShape(Shape[Any]):
    ours = ListField(child=JSONField())
    theirs = ListField(child=JSONField())


class XetTokenShape(Shape[Any]):
    casUrl = CharField()
    accessToken = CharField()
    exp = IntegerField(help_text="Unix seconds.")


class InsertedShape(Shape[Any]):
    was_inserted = BooleanField()


class ShardAnswerShape(Shape[Any]):
    result = IntegerField()


class ReconstructionShape(Shape[Any]):
    offset_into_first_range = IntegerField()
    terms = ListField(child=DictField())
    xorbs = DictField(required=False, help_text="v2: what to fetch, by xorb.")
    fetch_info = DictField(required=False, help_text="v1: what to fetch, by xorb.")


# Cards -----------------------------------------------------------------------------------------
class CardShape(Shape[Any]):
    content = CharField(allow_blank=True)
    repoType = CharField(required=False, allow_null=True, max_length=16)


class MessageShape(Shape[Any]):
    message = CharField()


class CardProblemsShape(Shape[Any]):
    errors = MessageShape(many=True)  # type: ignore[assignment]
    warnings = MessageShape(many=True)


class CardRefusalShape(Shape[Any]):
    error = CharField()
    errors = MessageShape(many=True, required=False)  # type: ignore[assignment]
    warnings = MessageShape(many=True, required=False)

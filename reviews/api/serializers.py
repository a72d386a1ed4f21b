"""Bodies of requests, and the shapes of answers in the API's description."""

from __future__ import annotations

from rest_framework import serializers


class OpenSerializer(serializers.Serializer):
    title = serializers.CharField(max_length=256)
    description = serializers.CharField(allow_blank=True, default="", max_length=65536)
    pullRequest = serializers.BooleanField(default=False)


class CommentSerializer(serializers.Serializer):
    comment = serializers.CharField(max_length=65536)


class EditSerializer(serializers.Serializer):
    content = serializers.CharField(max_length=65536)


class TitleSerializer(serializers.Serializer):
    title = serializers.CharField(max_length=256)


class StatusSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=["open", "closed"])
    comment = serializers.CharField(allow_blank=True, allow_null=True, default="", max_length=65536)


class MergeSerializer(serializers.Serializer):
    """`expectedHead` and `expectedBase` bind the merge to what the caller has seen."""

    comment = serializers.CharField(allow_blank=True, allow_null=True, default="", max_length=65536)
    expectedHead = serializers.CharField(default="", max_length=40, allow_blank=True)
    expectedBase = serializers.CharField(default="", max_length=40, allow_blank=True)


class MergedSerializer(serializers.Serializer):
    oid = serializers.CharField()


class ReviewSerializer(serializers.Serializer):
    head = serializers.CharField(max_length=40)
    verdict = serializers.ChoiceField(choices=["approve", "request_changes", "comment"])
    body = serializers.CharField(allow_blank=True, default="", max_length=65536)


class NumberSerializer(serializers.Serializer):
    num = serializers.IntegerField()


class PersonSerializer(serializers.Serializer):
    name = serializers.CharField()


class RepoSerializer(serializers.Serializer):
    name = serializers.CharField()
    type = serializers.CharField()


class DiscussionSerializer(serializers.Serializer):
    title = serializers.CharField()
    num = serializers.IntegerField()
    status = serializers.CharField()
    author = PersonSerializer()
    createdAt = serializers.CharField()
    repo = RepoSerializer()
    isPullRequest = serializers.BooleanField()


class EventSerializer(serializers.Serializer):
    id = serializers.CharField()
    type = serializers.CharField()
    createdAt = serializers.CharField()
    author = PersonSerializer()
    data = serializers.DictField()  # type: ignore[assignment]


class NewMessageSerializer(serializers.Serializer):
    newMessage = EventSerializer()


class UpdatedCommentSerializer(serializers.Serializer):
    updatedComment = EventSerializer()


class NewTitleSerializer(serializers.Serializer):
    newTitle = EventSerializer()


class NewStatusSerializer(serializers.Serializer):
    newStatus = EventSerializer()


class DetailsSerializer(DiscussionSerializer):
    events = EventSerializer(many=True)
    changes = serializers.DictField(required=False)
    filesWithConflicts = serializers.ListField(child=serializers.CharField(), required=False)
    diff = serializers.CharField(required=False, allow_null=True)


class ListSerializer(serializers.Serializer):
    discussions = DiscussionSerializer(many=True)
    count = serializers.IntegerField()
    start = serializers.IntegerField()


class RequirementSerializer(serializers.Serializer):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    state = serializers.ChoiceField(choices=["met", "unmet", "running", "failed", "stale"])
    detail = serializers.CharField(allow_blank=True)


class ChecklistSerializer(serializers.Serializer):
    head = serializers.CharField()
    base = serializers.CharField()
    mergeable = serializers.BooleanField()
    requirements = RequirementSerializer(many=True)

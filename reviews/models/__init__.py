"""Tables of discussions, pull requests, reviews and merges."""

from reviews.models.discussions import (
    Discussion,
    DiscussionStatus,
    PatchSet,
)
from reviews.models.merges import Merge, MergeState
from reviews.models.reviews import Review, ReviewVerdict
from reviews.models.timeline import Comment, TimelineEvent, TimelineKind
from reviews.models.weights import ComparisonState, TensorComparison, WeightsComparison

__all__ = [
    "Comment",
    "ComparisonState",
    "Discussion",
    "DiscussionStatus",
    "Merge",
    "MergeState",
    "PatchSet",
    "Review",
    "ReviewVerdict",
    "TensorComparison",
    "TimelineEvent",
    "TimelineKind",
    "WeightsComparison",
]

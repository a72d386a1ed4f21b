"""Tables of discussions, pull requests, reviews and merges."""

from reviews.models.discussions import (
    Discussion,
    DiscussionStatus,
    PatchSet,
)
from reviews.models.full_weights import FullWeights, WeightsWriting
from reviews.models.merges import Merge, MergeState
from reviews.models.model_merges import ModelMerge
from reviews.models.queue import QueueEntry, QueueState
from reviews.models.requests import ReviewRequest
from reviews.models.reviews import Review, ReviewVerdict
from reviews.models.tensor_readings import TensorReading
from reviews.models.timeline import Comment, TimelineEvent, TimelineKind
from reviews.models.trials import WeightTrial
from reviews.models.weights import TensorComparison, WeightMerge, WeightsComparison

__all__ = [
    "Comment",
    "Discussion",
    "DiscussionStatus",
    "FullWeights",
    "Merge",
    "MergeState",
    "ModelMerge",
    "PatchSet",
    "QueueEntry",
    "QueueState",
    "Review",
    "ReviewRequest",
    "ReviewVerdict",
    "TensorComparison",
    "TensorReading",
    "TimelineEvent",
    "TimelineKind",
    "WeightMerge",
    "WeightTrial",
    "WeightsComparison",
    "WeightsWriting",
]

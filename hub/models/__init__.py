"""Tables of the platform."""

from hub.models.access_requests import AccessRequest, RequestStatus
from hub.models.activity import AuditEntry, Event
from hub.models.collections import (
    Collection,
    CollectionItem,
    CollectionUpvote,
    Theme,
)
from hub.models.devices import DeviceLogin, DeviceLoginState, DeviceSession, RefreshToken
from hub.models.likes import Follow, Like
from hub.models.lineage import ModelLink, Relation
from hub.models.namespaces import Access, Membership, Namespace, NamespaceKind
from hub.models.objects import (
    DerivedObject,
    MultipartUpload,
    ObjectLink,
    RemovedObject,
    StoredObject,
    UploadedPart,
)
from hub.models.people import User
from hub.models.protections import BranchProtection
from hub.models.repositories import (
    Kind,
    RepoId,
    Repository,
    RepositoryRedirect,
    Visibility,
)
from hub.models.search import SearchEntry, SearchTotal
from hub.models.statuses import CommitStatus, StatusState
from hub.models.tokens import AccessToken, TokenScope
from hub.models.webhooks import DeliveryState, DisabledReason, Webhook, WebhookDelivery

__all__ = [
    "Access",
    "AccessRequest",
    "AccessToken",
    "AuditEntry",
    "BranchProtection",
    "Collection",
    "CollectionItem",
    "CollectionUpvote",
    "CommitStatus",
    "DeliveryState",
    "DerivedObject",
    "DeviceLogin",
    "DeviceLoginState",
    "DeviceSession",
    "DisabledReason",
    "Event",
    "Follow",
    "Kind",
    "Like",
    "Membership",
    "ModelLink",
    "MultipartUpload",
    "Namespace",
    "NamespaceKind",
    "ObjectLink",
    "RefreshToken",
    "Relation",
    "RemovedObject",
    "RepoId",
    "Repository",
    "RepositoryRedirect",
    "RequestStatus",
    "SearchEntry",
    "SearchTotal",
    "StatusState",
    "StoredObject",
    "Theme",
    "TokenScope",
    "UploadedPart",
    "User",
    "Visibility",
    "Webhook",
    "WebhookDelivery",
]

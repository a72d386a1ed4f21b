"""Tables of the platform."""

from hub.models.access_requests import AccessRequest, RequestStatus
from hub.models.accounts import BrowserSession, PasswordReset, SignUpInvitation
from hub.models.activity import AuditEntry, Event
from hub.models.collaborators import Collaborator, RepositoryTransfer
from hub.models.collections import (
    Collection,
    CollectionItem,
    CollectionUpvote,
    Theme,
)
from hub.models.devices import DeviceLogin, DeviceLoginState, DeviceSession, RefreshToken
from hub.models.inbox import Listening, Notification, NotificationState, Reason, Subscription
from hub.models.letters import Digest, Letter, LetterState, MailChoice
from hub.models.likes import Follow, Like
from hub.models.lineage import ModelLink, Relation
from hub.models.namespaces import Access, Invitation, Membership, Namespace, NamespaceKind
from hub.models.objects import (
    DerivedObject,
    MultipartUpload,
    ObjectLink,
    RemovedObject,
    StoredObject,
    UploadedPart,
)
from hub.models.people import User
from hub.models.pictures import Picture
from hub.models.protections import BranchProtection
from hub.models.repositories import (
    Kind,
    RepoId,
    Repository,
    RepositoryRedirect,
    Visibility,
)
from hub.models.scans import FileScan, ScanFormat, ScanVerdict
from hub.models.search import SearchEntry, SearchTotal
from hub.models.statuses import CommitStatus, StatusState
from hub.models.tables import TableFacts
from hub.models.tokens import AccessToken, TokenScope
from hub.models.webhooks import DeliveryState, DisabledReason, Webhook, WebhookDelivery
from hub.models.work import WorkState

__all__ = [
    "Access",
    "AccessRequest",
    "AccessToken",
    "AuditEntry",
    "BranchProtection",
    "BrowserSession",
    "Collaborator",
    "Collection",
    "CollectionItem",
    "CollectionUpvote",
    "CommitStatus",
    "DeliveryState",
    "DerivedObject",
    "DeviceLogin",
    "DeviceLoginState",
    "DeviceSession",
    "Digest",
    "DisabledReason",
    "Event",
    "FileScan",
    "Follow",
    "Invitation",
    "Kind",
    "Letter",
    "LetterState",
    "Like",
    "Listening",
    "MailChoice",
    "Membership",
    "ModelLink",
    "MultipartUpload",
    "Namespace",
    "NamespaceKind",
    "Notification",
    "NotificationState",
    "ObjectLink",
    "PasswordReset",
    "Picture",
    "Reason",
    "RefreshToken",
    "Relation",
    "RemovedObject",
    "RepoId",
    "Repository",
    "RepositoryRedirect",
    "RepositoryTransfer",
    "RequestStatus",
    "ScanFormat",
    "ScanVerdict",
    "SearchEntry",
    "SearchTotal",
    "SignUpInvitation",
    "StatusState",
    "StoredObject",
    "Subscription",
    "TableFacts",
    "Theme",
    "TokenScope",
    "UploadedPart",
    "User",
    "Visibility",
    "Webhook",
    "WebhookDelivery",
    "WorkState",
]

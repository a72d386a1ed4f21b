"""Who may do what; the one way to fetch an object on someone's behalf."""

from hub.policies.actors import (
    ANONYMOUS,
    Actor,
    asker,
    keys_of,
    require_operator,
    require_person,
    require_scope,
)
from hub.policies.collections import get_collection, visible_collections, visible_items, with_items
from hub.policies.files import FileAccess, file_access, require_files
from hub.policies.inbox import count_unread, visible_notifications
from hub.policies.likes import has_liked, visible_likers, visible_likes
from hub.policies.namespaces import get_namespace, get_shared_namespace
from hub.policies.people import holders, is_member, maintainers_of, people_named, readers
from hub.policies.repositories import (
    access_of,
    asked_again,
    children_of,
    get_repository,
    may_propose,
    may_take_part,
    may_write_ref,
    proposing_needs,
    repository_by_key,
    require_proposer,
    seen_repositories,
    visible_lines,
    visible_repositories,
)

__all__ = [
    "ANONYMOUS",
    "Actor",
    "FileAccess",
    "access_of",
    "asked_again",
    "asker",
    "children_of",
    "count_unread",
    "file_access",
    "get_collection",
    "get_namespace",
    "get_repository",
    "get_shared_namespace",
    "has_liked",
    "holders",
    "is_member",
    "keys_of",
    "maintainers_of",
    "may_propose",
    "may_take_part",
    "may_write_ref",
    "people_named",
    "proposing_needs",
    "readers",
    "repository_by_key",
    "require_files",
    "require_operator",
    "require_person",
    "require_proposer",
    "require_scope",
    "seen_repositories",
    "visible_collections",
    "visible_items",
    "visible_likers",
    "visible_likes",
    "visible_lines",
    "visible_notifications",
    "visible_repositories",
    "with_items",
]

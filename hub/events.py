"""What the hub says after something has happened. Features listen; the hub knows none of them."""

from django.dispatch import Signal

# A ref moved: repository, ref, old (oid or ""), new (oid or ""), actor (User | None).
revision_pushed = Signal()
# repository, actor
repository_created = Signal()
repository_removed = Signal()
# It has another name now: repository, old_repo_id ("namespace/name"), actor
repository_moved = Signal()
# Who may see or read it changed: repository, changes ({name: new value}), actor
repository_changed = Signal()
# A pull request has a new head or target: repository, change (extensions.Change), actor.
change_proposed = Signal()
# repository, change (extensions.Change), merge_oid, actor
change_merged = Signal()
# A machine has a new word about a commit: repository, status (CommitStatus).
status_changed = Signal()
# Somebody opened, changed or commented on a discussion or pull request: repository, scope
# ("discussion" or "discussion.comment"), action ("create", "update" or "delete"), discussion and
# comment (a dict as webhooks send it; None without one), actor. Sent inside the transaction of the
# change: whoever listens writes rows there and nothing else.
discussion_changed = Signal()

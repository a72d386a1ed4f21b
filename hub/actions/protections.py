"""Branch protection: a protected branch moves only by merging a pull request."""

from __future__ import annotations

from django.db import transaction

from hub.actions import audit
from hub.errors import BadInputError
from hub.gitstore import check_ref_name
from hub.models import BranchProtection, Repository, TokenScope
from hub.policies import Actor, require_scope

APPROVALS_LIMIT = 10


@transaction.atomic
def protect_branch(
    repository: Repository,
    actor: Actor | None,
    branch: str,
    *,
    required_approvals: int = 1,
    require_gate: bool = True,
) -> BranchProtection:
    """Protect `branch`, a name or a pattern with *, or change how.

    Raises: BadInputError, ForbiddenError (token's scope).
    """
    _require_scope(actor)
    check_ref_name(f"refs/heads/{branch.replace('*', 'x')}")
    if not 0 <= required_approvals <= APPROVALS_LIMIT:
        raise BadInputError(f"Ask for 0 to {APPROVALS_LIMIT} approvals.")
    protection, _created = BranchProtection.objects.update_or_create(
        repository=repository,
        branch=branch,
        defaults={"required_approvals": required_approvals, "require_gate": require_gate},
    )
    rule = f"{required_approvals} approvals, gate {'on' if require_gate else 'off'}"
    audit.record(
        actor, "branch.protect", f"{repository.repo_id} {branch}", new=rule, about=repository
    )
    return protection


@transaction.atomic
def unprotect_branch(repository: Repository, actor: Actor | None, branch: str) -> None:
    """End the protection of `branch`; one that has none is no fault. Raises: ForbiddenError."""
    _require_scope(actor)
    removed, _by_model = repository.protections.filter(branch=branch).delete()
    if removed:
        audit.record(actor, "branch.unprotect", f"{repository.repo_id} {branch}", about=repository)


def _require_scope(actor: Actor | None) -> None:
    """What a protected branch keeps out, a token that writes must not let in (decision 11)."""
    if actor is not None:
        require_scope(actor, TokenScope.ADMIN)

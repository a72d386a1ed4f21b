"""Whether a claimed try may be answered still."""

from __future__ import annotations

from django.conf import settings

from hub.models import Access
from hub.policies import Actor, access_of
from training.models import Try
from training.policies import readable_repositories


def refusal_of(row: Try) -> str:
    """Why a claimed try is not answered; "" when it is. What was allowed when it was asked must
    be so still (threats D6, J3, J5)."""
    if not settings.TRY_IT:
        return "Trying models is turned off on this server."
    need = Access.WRITE if row.is_proposal else Access.READ
    user = row.created_by
    may = user.is_active and access_of(user, row.repository) >= need
    read = {key for key in (row.repository_id, row.base_id) if key is not None}
    if not may or not read <= readable_repositories(Actor(user), read):
        return f"You may no longer use {row.repository.repo_id}."
    return ""

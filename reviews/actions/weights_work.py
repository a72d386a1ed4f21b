"""How much work on weights one person may have given to workers at a time."""

from __future__ import annotations

from django.conf import settings

from hub.errors import ThrottledError
from hub.models import User
from reviews.models import FullWeights, ModelMerge, WeightTrial


def hold_turn(user: User) -> None:
    """One count at a time: nobody else counts this person's work until the transaction ends."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)


def require_turn(user: User, *, more: int = 1) -> None:
    """Refuse `more` pieces of work to whoever has as many unfinished as they may.

    Call it in the transaction that adds them. Raises: ThrottledError.
    """
    hold_turn(user)
    given = (
        FullWeights.objects.filter(asked_by=user),
        WeightTrial.objects.filter(by=user),
        ModelMerge.objects.filter(by=user),
    )
    unfinished = sum(rows.live().count() for rows in given)
    if more and unfinished + more > settings.WEIGHTS_WORK_LIMIT:
        raise ThrottledError(
            f"You have {unfinished} merges of models, trials and full weights under way and may "
            f"have {settings.WEIGHTS_WORK_LIMIT}: wait until some are finished."
        )

"""Trends, and totals of filters: what explore cannot count while somebody waits.

Heat is a sum over what happened, each thing halved for every week it is old: 1 for a download and
for being made, 10 for a like, 5 for a discussion or pull request. It is kept as it would be at the
hub's epoch, where every new thing weighs 2 ^ (weeks since then): what rests is never rewritten, and
its order is right at every moment (Cormode et al. 2009, forward decay, doi:10.1109/ICDE.2009.65).
"""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

DOWNLOAD, LIKE, DISCUSSION = 1, 10, 5
# Likes count above the most there ever were: taking one back and giving it again heats nothing.
_WARM = """
UPDATE hub_searchentry AS entry SET
    heat = entry.heat + power(2, extract(epoch FROM now() - '2026-01-01 00:00Z') / 604800) * (
        %s * greatest(row.downloads - entry.downloads, 0)
        + %s * greatest(row.likes - entry.seen_likes, 0)
        + %s * greatest(row.last_discussion_number - entry.seen_discussions, 0)
    ),
    downloads = row.downloads,
    seen_likes = greatest(entry.seen_likes, row.likes),
    seen_discussions = row.last_discussion_number
FROM hub_repository AS row
WHERE row.id = entry.repository_id AND (
    row.downloads <> entry.downloads OR row.likes > entry.seen_likes
    OR row.last_discussion_number <> entry.seen_discussions
)
"""
_COUNT = """
INSERT INTO hub_searchtotal (kind, facet, value, count, counted_at)
SELECT coalesce(kind, ''), split_part(value, ':', 1), value, count(*), %s
FROM hub_searchentry, unnest(facets || '{""}') AS value
WHERE is_public GROUP BY GROUPING SETS ((kind, value), (value))
"""
_LOCK = 0x68656174  # "heat": one at a time


@transaction.atomic
def count() -> int:
    """Take in what happened since the last time, and count anew; how many were warmed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(_WARM, [DOWNLOAD, LIKE, DISCUSSION])
        warmed: int = cursor.rowcount
        cursor.execute("DELETE FROM hub_searchtotal")
        cursor.execute(_COUNT, [timezone.now()])
    return warmed

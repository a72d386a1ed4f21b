"""Parts of requests that several operations share, as OpenAPI shows them."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

LIMIT = OpenApiParameter("limit", OpenApiTypes.INT, description="How many at most on one page.")
CURSOR = OpenApiParameter("cursor", OpenApiTypes.STR, description="Comes in the `Link` header.")
CREATE_PR = OpenApiParameter("create_pr", OpenApiTypes.BOOL, description="Propose it instead.")
TREE = [
    OpenApiParameter("recursive", OpenApiTypes.BOOL, description="Subfolders too."),
    OpenApiParameter("expand", OpenApiTypes.BOOL, description="With each entry's last commit."),
    LIMIT,
    CURSOR,
]
PRS = OpenApiParameter("include_prs", OpenApiTypes.BOOL, description="refs/pr/N too.")
COMMITS = [
    OpenApiParameter("p", OpenApiTypes.INT, description="The page, from 0."),
    LIMIT,
    OpenApiParameter("expand[]", OpenApiTypes.STR, many=True, description="`formatted`"),
]
SIGNED = [
    OpenApiParameter("size", OpenApiTypes.INT, required=True),
    OpenApiParameter("grant", OpenApiTypes.STR, required=True, description="The hub's own seal."),
]
BYTES = {"application/octet-stream": OpenApiTypes.BINARY}

"""What the safetensors of a model hold, without a byte of their tensors."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import safetensors
from hub.api.views import RepositoryView
from hub.formats.safetensors_header import SafetensorsHeader
from hub.models import RepoId
from hub.policies import require_files


class GatheredShape(serializers.Serializer[Any]):
    index = serializers.DictField(help_text="`metadata` of the index.")
    headers = serializers.DictField(help_text="The header of each file, by its name.")


class SafetensorsView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/safetensors-metadata/{path}"""

    @extend_schema(
        summary=_("The tensors of a model, by the files that hold them"),
        responses={200: GatheredShape},
    )
    def get(self, request: Request, repo: RepoId, path: str) -> Response:
        require_files(self.actor, self.repository)
        found = safetensors.gather(self.repository, path)
        headers = {name: _on_wire(header) for name, header in found.headers.items()}
        return Response({"index": {"metadata": found.metadata}, "headers": headers})


def _on_wire(header: SafetensorsHeader) -> dict[str, Any]:
    """The header as the file has it."""
    facts: dict[str, Any] = {
        tensor.name: {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [tensor.start - header.data_start, tensor.end - header.data_start],
        }
        for tensor in header.tensors
    }
    return {"__metadata__": header.metadata, **facts} if header.metadata else facts

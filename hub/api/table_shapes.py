"""Bodies of the routes of data set rows, as OpenAPI shows them."""

from __future__ import annotations

from typing import Any

from rest_framework.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DictField,
    IntegerField,
    ListField,
)

from hub.api.shapes import Shape, texts
from hub.models import WorkState


class SplitShape(Shape[Any]):
    dataset = CharField(help_text="namespace/name")
    config = CharField(help_text="The subset.")
    split = CharField()


class SplitsShape(Shape[Any]):
    splits = SplitShape(many=True)


class FeatureShape(Shape[Any]):
    feature_idx = IntegerField()
    name = CharField(allow_blank=True)
    type = DictField()


class RowShape(Shape[Any]):
    row_idx = IntegerField()
    row = DictField(help_text="Values by column; pictures and sounds as {“src”: address}.")
    truncated_cells = texts(help_text="Columns whose value is cut, and then text.")


class RowsShape(SplitShape):
    features = FeatureShape(many=True)
    rows = RowShape(many=True)
    num_rows_total = IntegerField(required=False, allow_null=True, help_text="null: not known yet.")
    num_rows_per_page = IntegerField(required=False)
    partial: Any = BooleanField(required=False, help_text="There are more rows than are counted.")
    next_offset = IntegerField(
        required=False, allow_null=True, help_text="Where to go on; null at the end."
    )
    truncated = BooleanField(required=False)


class ColumnShape(Shape[Any]):
    column_name = CharField(allow_blank=True)
    column_type = CharField()
    column_statistics = DictField()


class StatisticsShape(SplitShape):
    state = ChoiceField(choices=WorkState.choices, help_text="Ask again until it is “done”.")
    num_examples = IntegerField(allow_null=True)
    partial: Any = BooleanField(help_text="The numbers are over the first rows only.")
    statistics = ListField(child=ColumnShape())

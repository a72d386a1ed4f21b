"""Numbers as people read them."""

from __future__ import annotations

import pytest

from hub.templatetags.hub_format import grouped


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0, "0"),
        (150_000, "150,000"),
        (149_999.0, "149,999"),
        (74_999.5, "74,999.5"),
        (43_301.41, "43,301.4"),
        (-1234.56, "−1,234.6"),
        (0.04123, "0.04123"),
        (0.5, "0.5"),
        (12.3456, "12.35"),
        (1e-7, "1e−07"),
        (2.5e18, "2.5e+18"),
    ],
)
def test_grouped_spares_the_exponent(value, text):
    assert grouped(value) == text

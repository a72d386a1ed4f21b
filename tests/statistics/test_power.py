import pytest

from training.statistics.power import binary_items_needed, items_needed, provable_margin


def near(value):
    return pytest.approx(value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("discordance", "margin", "extra", "n"),
    [
        (0.10, 0.01, {}, 6182.557232),
        (0.10, 0.02, {}, 1545.639308),
        (0.10, 0.03, {}, 686.950804),
        (0.10, 0.05, {}, 247.302289),
        (0.20, 0.02, {}, 3091.278616),
        (0.05, 0.01, {}, 3091.278616),
        (0.10, 0.02, {"power": 0.9}, 2140.961838),
        (0.10, 0.02, {"delta": -0.005}, 2747.116263),
    ],
)
def test_items_needed_have_their_worked_values(discordance, margin, extra, n):
    assert binary_items_needed(discordance, margin, **extra) == near(n)


@pytest.mark.parametrize(
    ("n", "margin"),
    [
        (100, 0.078629),
        (200, 0.055599),
        (500, 0.035164),
        (1000, 0.024865),
        (2000, 0.017582),
        (5000, 0.011120),
        (10042, 0.007846),
    ],
)
def test_the_provable_margin_has_its_worked_values(n, margin):
    assert provable_margin(0.10, n) == pytest.approx(margin, abs=1e-6)


def test_the_items_for_a_provable_margin_are_the_items_it_came_from():
    assert items_needed(0.07, provable_margin(0.07, 640)) == near(640)


def test_no_number_of_items_shows_a_loss_at_the_margin_to_be_allowed():
    assert items_needed(0.1, 0.02, delta=-0.02) == float("inf")

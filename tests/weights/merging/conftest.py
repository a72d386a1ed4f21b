import pytest

from tests.weights.merging.files import Models


@pytest.fixture
def models(tmp_path):
    return Models(tmp_path)

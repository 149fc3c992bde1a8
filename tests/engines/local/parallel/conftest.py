"""A model whose layers two ranks can share."""

import pytest

from tiny import build, save


@pytest.fixture(scope="package")
def even(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(build("qwen3", vocab_size=80), tmp_path_factory.mktemp("qwen3"))

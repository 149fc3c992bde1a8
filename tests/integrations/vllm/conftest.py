"""vLLM's own configuration of the shipped model, without an engine."""

import os
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from elastic_reasoning.engines.loading import model_path


@pytest.fixture(scope="session")
def config_of() -> Callable[..., Any]:
    """Engine arguments to vLLM's configuration."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")

    def made(**arguments: Any) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # vLLM's own
            settings = {"model": model_path("mini"), "dtype": "float32", "enforce_eager": True, **arguments}
            return AsyncEngineArgs(**settings).create_engine_config()

    return made

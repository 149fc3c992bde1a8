"""What a run with vLLM is refused for before vLLM is started; the rest is in tests/real_vllm/test_vllm_policy.py."""

from importlib.util import find_spec

import pytest

from configs import train_config
from elastic_reasoning.core.errors import MissingDependencyError, TrainingError
from elastic_reasoning.training.config import RolloutVllm, TrainConfig
from elastic_reasoning.training.trl.vllm_policy import vllm_arguments


def test_transformers_need_no_arguments() -> None:
    assert vllm_arguments(TrainConfig()) == {}


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed")
@pytest.mark.parametrize("engine", ["vllm-colocated", "vllm-server"])
def test_without_vllm_it_says_how_to_install_it(engine: str) -> None:
    with pytest.raises(MissingDependencyError, match=r"vllm is not installed: pip install 'elastic-reasoning\[vllm\]'"):
        vllm_arguments(train_config(engine=engine))


@pytest.mark.parametrize(
    ("plan", "budgets", "message"),
    [
        ("anytime", ("8+12", "24+12"), "tensor_parallel_size 2 with plan anytime"),
        ("random", ("8..24+12",), "tensor_parallel_size 2 with several strategies or validation_budgets"),
    ],
)
def test_processes_that_share_a_model_cannot_share_thinkings(plan: str, budgets: tuple[str, ...], message: str) -> None:
    two = RolloutVllm(tensor_parallel_size=2)
    config = train_config(engine="vllm-colocated", plan=plan, budgets=budgets, vllm=two)
    with pytest.raises(TrainingError, match=message):
        vllm_arguments(config)

"""vLLM within a trainer, in float32 and without compilation; as a program, a training run on it.

python -m real_vllm.colocated --engine=vllm-colocated --out=runs/one --steps=4
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from configs import train_config
from real_vllm.serving import ENVIRONMENT

CONFIG = train_config(engine="vllm-colocated", temperature=0.9, beta=0.0)


@contextmanager
def exact_vllm() -> Iterator[None]:
    """TRL starts vLLM with neither a type nor a word on compilation: vLLM would compute a float32 model in bfloat16.

    What vLLM and TRL leave in the environment and in the process is taken away afterwards.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        import torch
        import vllm
        from trl.generation import vllm_generation
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory
        from vllm.model_executor.layers import utils

        patch.setattr(vllm_generation, "LLM", partial(vllm.LLM, dtype="float32", enforce_eager=True))
        patch.setattr(utils, "dispatch_cpu_unquantized_gemm", utils.dispatch_cpu_unquantized_gemm)
        before, num_threads = dict(os.environ), torch.get_num_threads()
        set_num_threads = torch.set_num_threads
        set_num_threads(1)
        patch.setattr(torch, "set_num_threads", set_num_threads)  # which vLLM replaces
        try:
            with torch.compiler.set_stance("force_eager"):
                yield
        finally:
            if torch.distributed.is_initialized():
                cleanup_dist_env_and_memory()
            os.environ.clear()
            os.environ.update(before)
            set_num_threads(num_threads)


def new_trainer(model: Any, tokenizer: Any, folder: Path, arguments: dict[str, Any], **others: Any) -> Any:
    """A `GRPOTrainer` of two prompts with eight rollouts each, of which every other one is rewarded."""
    import datasets
    import trl

    config = trl.GRPOConfig(
        output_dir=str(folder),
        max_steps=2,
        per_device_train_batch_size=16,
        num_generations=8,
        temperature=CONFIG.rollouts.temperature,
        learning_rate=5e-3,
        lr_scheduler_type="constant",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **arguments,
    )
    return trl.GRPOTrainer(
        model=model,
        args=config,
        processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list([{"prompt": str(number)} for number in range(64)]),
        reward_funcs=lambda completions, **kwargs: [float(n % 2) for n in range(len(completions))],
        **others,
    )


def main(arguments: list[str]) -> None:
    """`elastic train` with these flags."""
    from elastic_reasoning.cli.main import main as elastic

    with exact_vllm():
        sys.exit(elastic(["train", *arguments]))


if __name__ == "__main__":
    main(sys.argv[1:])

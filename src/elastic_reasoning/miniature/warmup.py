"""The supervised warm-up: from random weights to a model that thinks, in about two minutes on one core.

    result = warm_up(WarmupConfig(seed=0), Path("mini"))
    result.accuracy      # over validation problems, greedy, thinking without limit

The folder is in the Hugging Face format (weights, tokenizer, generation configuration) and appears only when it is
complete.
"""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, PreTrainedTokenizerBase, Qwen3ForCausalLM

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.miniature.model import build_model
from elastic_reasoning.miniature.thoughts import Example, examples
from elastic_reasoning.miniature.tokenizer import CLOSING, build_tokenizer
from elastic_reasoning.tasks.arithmetic import Arithmetic

IGNORED = -100  # the label that cross_entropy leaves out
TYPICAL_LENGTH = 95  # tokens of a response


@dataclass(frozen=True, slots=True)
class WarmupConfig:
    """Settings of the warm-up.

    Attributes:
        seed: of the weights, of the corpus and of the order of batches.
        num_steps: optimizer steps.
        batch_size: examples a step.
        muon_lr: peak learning rate of the matrices (Muon, arXiv 2502.16982).
        adamw_lr: peak learning rate of the embedding and the norms (AdamW).
        num_lr_warmup_steps: steps of linear rise before the cosine.
        num_gate_problems: validation problems that the finished model must solve; 0 for no gate.
        min_accuracy: the share of them that it must solve.
    """

    seed: int = 0
    num_steps: int = 1700
    batch_size: int = 16
    muon_lr: float = 0.03
    adamw_lr: float = 3e-3
    num_lr_warmup_steps: int = 40
    num_gate_problems: int = 128
    min_accuracy: float = 0.95


@dataclass(frozen=True, slots=True)
class WarmupResult:
    """What the warm-up ended with.

    Attributes:
        loss: mean cross-entropy a trained token over the last tenth of the steps, in nats.
        accuracy: share of validation problems solved, or `None` without a gate.
    """

    loss: float
    accuracy: float | None


def warm_up(
    config: WarmupConfig, folder: Path, on_step: Callable[[int, float], None] = lambda step, loss: None
) -> WarmupResult:
    """Train a miniature from nothing and write it to `folder`, which must not exist.

    Args:
        config: the settings.
        folder: where the model goes, in the Hugging Face format.
        on_step: called after each step with its number, from 1, and its loss.

    Raises:
        TrainingError: the folder exists or cannot be written, or the finished model solves too few problems.
    """
    if folder.exists():
        raise TrainingError(f"{folder} exists already: remove it, or give another folder")
    tokenizer = build_tokenizer()
    model = build_model(tokenizer, config.seed)
    losses = list(_train(model, tokenizer, config, on_step))
    tail = losses[-max(1, len(losses) // 10) :]
    accuracy = _gate(model, tokenizer, config) if config.num_gate_problems else None
    save_model(model, folder)
    return WarmupResult(sum(tail) / len(tail), accuracy)


def _train(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    config: WarmupConfig,
    on_step: Callable[[int, float], None],
) -> Iterator[float]:
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    chosen = set(map(id, matrices))
    others = [p for p in model.parameters() if id(p) not in chosen]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=config.muon_lr, weight_decay=0.0, adjust_lr_fn="original"),
        torch.optim.AdamW(others, lr=config.adamw_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(opt, lambda step: _rate(step, config)) for opt in optimizers]
    model.train()
    for step, (ids, labels) in enumerate(batches(tokenizer, config), start=1):
        logits = model(input_ids=ids).logits  # [rows, columns, vocabulary]
        total = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
        # Not the mean over the batch: that would weigh the tokens of short thoughts more than those of long ones.
        loss = total / (config.batch_size * TYPICAL_LENGTH)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        mean = total.item() / int((labels >= 0).sum())
        on_step(step, mean)
        yield mean
    model.eval()


def _rate(step: int, config: WarmupConfig) -> float:
    """Share of the peak learning rate: a linear rise, then a cosine to zero."""
    rise = (step + 1) / config.num_lr_warmup_steps
    return min(1.0, rise) * 0.5 * (1 + math.cos(math.pi * step / config.num_steps))


def batches(tokenizer: PreTrainedTokenizerBase, config: WarmupConfig) -> Iterator[tuple[Tensor, Tensor]]:
    """Ids and labels `[rows, columns]` for each step, examples of similar length together, padded on the right.

    Causality makes an attention mask unnecessary: no token that counts can see the padding.
    """
    generator = torch.Generator().manual_seed(config.seed)
    pad = tokenizer.convert_tokens_to_ids(str(tokenizer.pad_token))
    corpus = islice(examples(config.seed), config.num_steps * config.batch_size)
    rows = sorted((_encode(tokenizer, example) for example in corpus), key=lambda row: len(row[0]))
    for index in torch.randperm(config.num_steps, generator=generator).tolist():
        batch = rows[index * config.batch_size : (index + 1) * config.batch_size]
        width = len(batch[-1][0])
        ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in batch])
        labels = torch.tensor([labels + [IGNORED] * (width - len(labels)) for _, labels in batch])
        yield ids, labels


def _encode(tokenizer: PreTrainedTokenizerBase, example: Example) -> tuple[list[int], list[int]]:
    """Ids, and labels that leave out the prompt and what is not trained `[n]`."""
    text = f"{example.chain.text} {example.length_request}".strip()
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
    )
    response = tokenizer.convert_tokens_to_ids(list(example.words))
    labels = [index if trained else IGNORED for index, trained in zip(response, example.trained, strict=True)]
    return prompt + response, [IGNORED] * len(prompt) + labels


@torch.inference_mode()
def _gate(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, config: WarmupConfig) -> float:
    """The share of validation problems solved, if it is enough."""
    task = Arithmetic()
    problems = task.problems("validation", config.num_gate_problems)
    prompts = tokenizer.apply_chat_template(
        [list(problem.messages) for problem in problems],
        add_generation_prompt=True,
        padding=True,
        return_tensors="pt",
        return_dict=True,
    )
    completions = model.generate(**prompts, max_new_tokens=300, do_sample=False)
    texts = tokenizer.batch_decode(completions[:, prompts["input_ids"].shape[1] :])
    solutions = (text.partition(CLOSING)[2].partition(str(tokenizer.eos_token))[0] for text in texts)
    grades = [task.grade(problem, text) for problem, text in zip(problems, solutions, strict=True)]
    accuracy = sum(grade.correct for grade in grades) / len(grades)
    if accuracy < config.min_accuracy:
        raise TrainingError(
            f"the warmed-up model solves {accuracy:.1%} of {len(grades)} validation problems, "
            f"{config.min_accuracy:.1%} are needed: train more steps or take another seed"
        )
    return accuracy


def save_model(model: Qwen3ForCausalLM, folder: Path) -> None:
    """Write a model and a fresh tokenizer in the Hugging Face format; the folder appears only when it is complete.

    Weights are stored in bfloat16, which halves the size at the same accuracy, and are loaded as float32.

    Raises:
        TrainingError: the folder cannot be written.
    """
    stored = {name: weight.bfloat16() for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    model.config.use_cache = True  # training had turned it off
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    model.generation_config = GenerationConfig(
        do_sample=True, eos_token_id=model.config.eos_token_id, pad_token_id=model.config.pad_token_id
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            model.save_pretrained(unfinished, state_dict=stored)
            build_tokenizer().save_pretrained(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise TrainingError(f"cannot write the model to {folder}: {error}") from error

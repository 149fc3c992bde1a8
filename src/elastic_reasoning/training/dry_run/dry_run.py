"""What a training run would be: everything that its recipe comes to, before any weight is loaded.

    for line in resolve(TrainConfig(model="mini"), num_processes=2).lines():
        print(line)

No weights and no data are downloaded. What cannot be read on this machine is said to be so.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from elastic_reasoning.chat.rendering import PROBE
from elastic_reasoning.tasks.code import HUBS
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.mathematics import SOURCES
from elastic_reasoning.tasks.table import VALIDATION_ONE_IN
from elastic_reasoning.training.checks import check, check_inputs
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.training.data import Data, load_data
from elastic_reasoning.training.dry_run.architecture import Model, has_weights, known_delimiters
from elastic_reasoning.training.dry_run.facts import (
    Fact,
    checkpoints,
    most_tokens,
    optimisation,
    processes,
    rewards,
    rollouts,
)
from elastic_reasoning.training.dry_run.memory import BYTES, Lengths, Memory, estimate

HUB_SETS = {
    "deepscaler": (SOURCES["deepscaler"].hub.name, 40_315, "40,315"),
    "deepcoder": (HUBS["deepcoder"][0].name, 24_000, "24K"),
}
"""Training sets of the hub, and their rows as published (Luo et al. 2025, DeepScaleR and DeepCoder), not counted."""
USUAL_PROCESSES = 8
USUAL_LORA = Lora(rank=32)
GB = 10**9


@dataclass(frozen=True, slots=True)
class Resolved:
    """Facts by section, in the order in which they are shown."""

    sections: dict[str, tuple[Fact, ...]]

    def lines(self) -> list[str]:
        """For a terminal."""
        return [line for name, facts in self.sections.items() for line in (name, *(fact.line for fact in facts))]

    def to_dict(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By section and name: value, unit and note."""
        return {
            name: {fact.name: {"value": fact.value, "unit": fact.unit, "note": fact.note} for fact in facts}
            for name, facts in self.sections.items()
        }


def resolve(config: TrainConfig, num_processes: int = 1) -> Resolved:
    """Resolve a run without loading its model.

    Args:
        config: the run.
        num_processes: processes that would train together.

    Raises:
        ElasticError: the configuration is wrong, or there is no such task, file or model.
    """
    check(config, num_processes)
    check_inputs(config)
    model = Model.read(config)
    data = None
    if config.task.data or config.task.name not in HUB_SETS:
        data = load_data(config, load_task(config.task, config.grading), model.num_tokens)
    lengths, why = _lengths(config, model, data)
    return Resolved(
        {
            "model": _model(config, model),
            "template": _template(config, model),
            "data": _data(config, data),
            "rollouts": rollouts(config, lengths, why),
            "rewards": rewards(config),
            "optimisation": optimisation(config),
            "checkpoints": checkpoints(config),
            "processes": processes(config, num_processes),
            "memory of a device, at most": _memory(config, model, lengths, why, num_processes),
            "downloads": _downloads(config, model),
        }
    )


def _lengths(config: TrainConfig, model: Model, data: Data | None) -> tuple[Lengths | None, str]:
    """The longest prompt and completion, or why they are not known."""
    prompt = config.max_prompt_tokens
    if data is not None and model.template is not None:
        prompt = max(model.num_tokens(problem.messages) for problem in data.training)
    if prompt is None:
        return None, "max_prompt_tokens is not set, and there are no prompts and tokenizer here to count"
    context = config.vllm.max_model_len if config.engine != "transformers" else None
    if context is None and model.architecture:
        context = model.architecture.context
    completion = most_tokens(config, None if context is None else context - prompt)
    if completion is None:
        return None, "only the model's context ends a rollout"
    return Lengths(prompt, completion), ""


def _model(config: TrainConfig, model: Model) -> tuple[Fact, ...]:
    found = model.architecture
    lora = [Fact(f"lora.{name}", value) for name, value in asdict(config.lora).items()] if config.lora.rank else []
    first = Fact("model", config.model)
    if found is None:
        return (first, Fact("architecture", None, note=f"not known: {model.why}"), *lora)
    adapters = found.num_adapter_parameters(config.lora)
    return (
        first,
        Fact("architecture", found.kind, note=f"configuration from: {found.source}"),
        Fact("parameters", found.num_parameters),
        Fact("trained parameters", adapters or found.num_parameters, note="adapters" if adapters else "all"),
        Fact("layers", found.num_layers, note=f"width {found.hidden:,}, feed-forward {found.feed_forward:,}"),
        Fact("heads", found.num_heads, note=f"{found.num_kv_heads} for keys and values, each of {found.head_dim}"),
        Fact("vocabulary", found.vocabulary, "tokens", "output layer tied to it" if found.tied else ""),
        Fact("context", found.context, "tokens"),
        *(lora or [Fact("lora.rank", 0, note="all weights are trained")]),
    )


def _template(config: TrainConfig, model: Model) -> tuple[Fact, ...]:
    plain = "" if config.chat.apply_chat_template else "messages are sent as plain text"
    return (
        *_delimiters(config, model),
        Fact("chat_template_kwargs", config.chat.chat_template_kwargs or "", note="arguments of the chat template"),
        Fact("apply_chat_template", config.chat.apply_chat_template, note=plain),
    )


def _delimiters(config: TrainConfig, model: Model) -> tuple[Fact, ...]:
    template = model.template
    if template is not None and model.renderer is not None:
        state = model.renderer.prompt([{"role": "user", "content": PROBE}]).thinking
        return (
            Fact("tokenizer", type(model.tokenizer).__name__, note="read from this machine"),
            *(
                Fact(name, delimiter.text, note=f"token ids {list(template.encode(delimiter.text))}")
                for name, delimiter in (("opening", template.opening), ("closing", template.closing))
            ),
            Fact("end of sequence", sorted(template.eos), note="token ids"),
            Fact("thinking in the prompt", str(state), note=model.renderer.note or "after the chat template"),
        )
    pair = (config.chat.opening, config.chat.closing) if config.chat.opening else known_delimiters(config.model)
    tokenizer = Fact("tokenizer", None, note="not known: it is not on this machine")
    if pair is None:
        note = "not known: found in the tokenizer when training starts"
        return (tokenizer, Fact("opening", None, note=note), Fact("closing", None, note=note))
    note = (
        "as given, not verified"
        if config.chat.opening
        else "of the model's family, not verified; ids are read from the tokenizer"
    )
    return (tokenizer, Fact("opening", pair[0], note=note), Fact("closing", pair[1], note=note))


def _data(config: TrainConfig, data: Data | None) -> tuple[Fact, ...]:
    task, grading, limit = config.task, config.grading, config.max_prompt_tokens
    source, rows, published = HUB_SETS.get(task.name, ("made here", 0, ""))
    by_programs = task.name in HUBS and not grading.allow_code_execution
    needed = "this task is graded by running programs" if by_programs else ""
    facts = [
        Fact("task", task.name),
        Fact("data", task.data or source, note="" if task.data or not rows else "of the hub, its name not verified"),
        *(Fact(name, getattr(task, name)) for name in ("release", "since", "until") if getattr(task, name)),
        Fact(
            "num_problems",
            config.num_problems,
            note="all of the split" if config.num_problems is None else "at most, the first of the split",
        ),
        Fact("max_prompt_tokens", limit, "tokens", "no limit" if limit is None else "longer problems are left out"),
        Fact("allow_code_execution", grading.allow_code_execution, note=needed),
        Fact("sandbox", grading.sandbox, note="in which they are run"),
        Fact("round_to_reference", bool(grading.round_to_reference), note="of answers of mathematics"),
    ]
    if data is not None:
        num = len(data.training)
        facts += [
            Fact("training problems", num, note=f"{data.num_too_long:,} longer ones left out" if limit else ""),
            Fact("validation problems", len(data.validation), note="none of them among training or test problems"),
        ]
    else:
        num = min(rows - rows // VALIDATION_ONE_IN, config.num_problems or rows)
        facts += [
            Fact(
                "training problems",
                num,
                "at most",
                f"published: {published} rows, of which one in {VALIDATION_ONE_IN} is held out",
            ),
            Fact("validation problems", config.num_validation_problems, note="of those held out"),
        ]
    return (*facts, Fact("passes through them", round(config.steps * config.prompts_per_step / num, 2)))


def _memory(
    config: TrainConfig, model: Model, lengths: Lengths | None, why: str, num_processes: int
) -> tuple[Fact, ...]:
    if model.architecture is None or lengths is None:
        return (Fact("estimate", None, note=f"not known: {why or model.why}"),)
    num_shards = num_processes if num_processes > 1 else USUAL_PROCESSES
    layouts = {
        "whole": estimate(model.architecture, config, lengths, num_processes, sharded=False),
        "sharded": estimate(model.architecture, config, lengths, num_shards, sharded=True),
    }
    if not config.lora.rank:
        lora = replace(config, lora=USUAL_LORA)
        layouts["LoRA"] = estimate(model.architecture, lora, lengths, num_processes, sharded=False)
    notes = {
        "reference": "" if config.beta else "beta is 0",
        "working": "copies of weights and gradients, to compute with",
        "copies": "of the model, to generate with",
        "staying": "of copies and cache, while the model is optimised",
        "cache": "of all rollouts of a process, if they run at once",
        "kept": "weights, moments and reference: at all times",
    }
    share = []
    if config.engine == "vllm-colocated":
        notes["cache"] += "; vLLM lets wait what does not fit"
        share = [Fact("vLLM's share", config.vllm.gpu_memory_utilization, "of the device, for copies and cache")]
    names = [*Memory.__dataclass_fields__, "kept", "optimising", "generating"]
    return (
        Fact("whole", "DDP", note="a whole model in each process"),
        Fact("sharded", "FSDP2 or ZeRO-3", note=f"shared out over {num_shards} processes"),
        *([Fact("LoRA", f"rank {USUAL_LORA.rank}", note="DDP")] if "LoRA" in layouts else []),
        *(
            Fact(
                name,
                {layout: getattr(memory, name) for layout, memory in layouts.items()},
                "bytes",
                notes.get(name, ""),
            )
            for name in names
        ),
        *share,
    )


def _downloads(config: TrainConfig, model: Model) -> tuple[Fact, ...]:
    facts = []
    if not has_weights(config.model):
        found = model.architecture
        size, note = None, "size not known"
        if found is not None and found.dtype in BYTES:
            size, note = found.num_parameters * BYTES[found.dtype], f"weights in {found.dtype}, and its tokenizer"
        elif found is not None:
            sizes = [
                f"{found.num_parameters * width / GB:.1f} GB if in {kind}"
                for kind, width in (("bfloat16", 2), ("float32", 4))
            ]
            note = f"weights, {' or '.join(sizes)}, and its tokenizer"
        facts.append(Fact(config.model, size, "bytes", note))
    if config.task.name in HUB_SETS and not config.task.data:
        facts.append(
            Fact(HUB_SETS[config.task.name][0], None, note="data set, unless it is in the local cache; size not known")
        )
    return tuple(facts) or (Fact("nothing", 0, "bytes"),)

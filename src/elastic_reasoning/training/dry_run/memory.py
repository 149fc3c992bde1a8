"""How much memory training takes on one device: what must lie there, computed from shapes.

    memory = estimate(architecture, config, Lengths(prompt=1024, completion=2048), num_processes=8, sharded=True)
    memory.optimising, memory.generating     # bytes at either peak

An estimate leaves out what an allocator wastes, the libraries' own buffers, and models that are built otherwise than a
decoder of attention and gated feed-forward layers.
"""

import math
from dataclasses import dataclass

from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.dry_run.architecture import Architecture

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
FLOAT32 = 4
TILE_TOKENS, TILE_VOCABULARY = 4096, 32768
"""The part of the logits that TRL makes at one time (trl/kernels/chunked_logprob.py, trl/trainer/utils.py)."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of the longest prompt and of the longest completion."""

    prompt: int
    completion: int

    @property
    def total(self) -> int:
        """Tokens of the longest sequence."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one device.

    Attributes:
        weights: of the model, and of the adapters.
        gradients: of what is trained, in the type of the weights.
        moments: AdamW's two, in the type of the weights.
        reference: the starting model, for the KL term; adapters need none, as they can be switched off.
        working: copies of weights and gradients that computing needs.
        activations: what the backward pass of a micro batch needs.
        logits: a tile of them, and the gradients of the output layer and of its inputs.
        cache: keys and values of the rollouts that are generated at one time.
        copies: further copies of the model that rollouts are generated with.
        staying: what stays of the two while the model is optimised: all copies, but nothing of a vLLM that sleeps, and
            the cache where `keeps_cache` is set.
    """

    weights: int
    gradients: int
    moments: int
    reference: int
    working: int
    activations: int
    logits: int
    cache: int
    copies: int
    staying: int

    @property
    def kept(self) -> int:
        """What lies there all the time."""
        return self.weights + self.moments + self.reference

    @property
    def optimising(self) -> int:
        """At the peak of an optimizer step; the cache of a vLLM that does not sleep is not counted."""
        return self.kept + self.gradients + self.working + self.activations + self.logits + self.staying

    @property
    def generating(self) -> int:
        """While rollouts are generated; the gradients have been let go."""
        return self.kept + self.cache + self.copies


def estimate(
    architecture: Architecture, config: TrainConfig, lengths: Lengths, num_processes: int, sharded: bool
) -> Memory:
    """Estimate what one device of a run needs.

    With P parameters, of which Q are trained (all, or those of the adapters), w bytes a weight and N processes that
    share weights, gradients and moments where they are sharded (N = 1 where they are not):

    - weights P w / N, gradients Q w / N, moments 2 Q w / N, reference P w / N (ZeRO, Rajbhandari et al. 2020,
      arXiv 1910.02054, section 3; there with 16-bit weights and a float32 copy, here with weights of one type);
    - working: see `_working`; activations: see `_activations`; logits: see `_logits`;
    - cache: rows * tokens * `Architecture.cache_per_token`.

    Args:
        architecture: the model.
        config: the run; its `lora` says whether adapters are trained.
        lengths: of the longest sequence.
        num_processes: how many train, each on a device of its own.
        sharded: FSDP2 or ZeRO-3 rather than a whole model for each process.
    """
    width = BYTES[config.dtype]
    computed = 2 if config.mixed_precision == "bf16" else width
    generating = BYTES["bfloat16"] if config.engine == "vllm-colocated" else computed
    shards = num_processes if sharded else 1
    adapters = architecture.num_adapter_parameters(config.lora)
    total = architecture.num_parameters + adapters
    trained = adapters or total
    with_reference = config.beta > 0 and not adapters
    copies = _copies(architecture, config, sharded, generating)
    cache = _cache(architecture, config, lengths, num_processes, generating)
    return Memory(
        weights=_share(total * width, shards),
        gradients=_share(trained * width, shards),
        moments=_share(2 * trained * width, shards),
        reference=_share(total * width, shards) if with_reference else 0,
        working=_working(architecture, total, trained, width, computed, num_processes, sharded),
        activations=_activations(architecture, config, lengths, computed),
        logits=_logits(architecture, config, lengths, computed, head_is_trained=not adapters),
        cache=cache,
        copies=copies,
        staying=_staying(config, cache, copies),
    )


def _share(total: int, shards: int) -> int:
    return math.ceil(total / shards)


def _working(
    architecture: Architecture,
    total: int,
    trained: int,
    width: int,
    computed: int,
    num_processes: int,
    sharded: bool,
) -> int:
    """Copies of weights and gradients.

    Sharded: embedding and output layer, two decoder layers (one is fetched ahead) and the gradient of one are whole,
    in the type of computing. Whole: autocast keeps a copy of every weight in the type of computing until the backward
    pass has used it, and more than one process a copy of the gradients in buckets (torch's DistributedDataParallel,
    gradient_as_bucket_view).
    """
    if sharded:
        layer = (architecture.num_parameters - architecture.num_outer_parameters) // architecture.num_layers
        return computed * (architecture.num_outer_parameters + 3 * layer)
    cast = total * computed if computed != width else 0
    return cast + (trained * width if num_processes > 1 else 0)


def _activations(architecture: Architecture, config: TrainConfig, lengths: Lengths, computed: int) -> int:
    """What the backward pass reads again.

    A token and layer: 6 h in float32 (each of two norms keeps its input, its normalised input and its output), and in
    the type of computing 5 a d (query, key, value, repeated for all heads, and the output of attention twice) and
    4 f (gate, its activation, up and their product), with h the hidden width, a heads of d, f the feed-forward
    width. Attention keeps no matrix of scores (FlashAttention, Dao et al. 2022, arXiv 2205.14135). After the way of
    counting of Korthikanti et al. 2022, arXiv 2205.05198, section 4. Checkpointed: the input of each layer, and one
    layer whole, which is computed again. The norm behind the last layer adds 2 h.
    """
    heads = architecture.num_heads * architecture.head_dim
    norms = max(FLOAT32, computed)
    layer = 6 * architecture.hidden * norms + (5 * heads + 4 * architecture.feed_forward) * computed
    if config.gradient_checkpointing:
        layers = architecture.num_layers * architecture.hidden * norms + layer
    else:
        layers = architecture.num_layers * layer
    last_norm = 2 * architecture.hidden * norms
    return config.micro_batch_size * lengths.total * (layers + last_norm)


def _logits(
    architecture: Architecture, config: TrainConfig, lengths: Lengths, computed: int, head_is_trained: bool
) -> int:
    """One tile of the logits, and in float32 the gradients of the output layer and of what goes into it.

    TRL does not make the whole logits since 1.16: ChunkedLogProbFunction in trl/kernels/chunked_logprob.py.
    """
    tokens = config.micro_batch_size * lengths.completion
    tile = min(tokens, TILE_TOKENS) * min(architecture.vocabulary, TILE_VOCABULARY) * computed
    head = architecture.vocabulary * architecture.hidden if head_is_trained else 0
    return tile + FLOAT32 * (head + tokens * architecture.hidden)


def _cache(
    architecture: Architecture, config: TrainConfig, lengths: Lengths, num_processes: int, generating: int
) -> int:
    """Keys and values of all rollouts that one device generates at one time; a server has them on devices of its own.

    vLLM takes its share of the device whatever is needed, and lets rollouts wait that do not fit.
    """
    if config.engine == "vllm-server":
        return 0
    rows = config.num_rollouts // num_processes
    if config.engine == "transformers":
        rows = min(rows, config.max_rows)
    return rows * lengths.total * architecture.cache_per_token(generating)


def _staying(config: TrainConfig, cache: int, copies: int) -> int:
    """What the generating side holds while the model is optimised."""
    if config.engine == "vllm-colocated" and config.vllm.sleep:
        return 0
    return copies + (cache if config.engine == "transformers" and config.keeps_cache else 0)


def _copies(architecture: Architecture, config: TrainConfig, sharded: bool, generating: int) -> int:
    """A model of its own for generating.

    vLLM has one, in 16 bits unless it is told otherwise; the transformers engine has one where the model that is
    trained is sharded or computes in another type than it is kept in, in the type of computing.
    """
    copied = sharded or config.mixed_precision != "no"
    if config.engine == "vllm-server" or (config.engine == "transformers" and not copied):
        return 0
    whole = architecture.num_parameters * generating
    return _share(whole, config.vllm.tensor_parallel_size) if config.engine == "vllm-colocated" else whole

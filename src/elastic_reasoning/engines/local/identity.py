"""Whether a model is still the one that it was: what a recorded step, or a verdict about a model, hangs on.

    before = identity(model)
    ...                                 # somebody merges an adapter, or puts other weights into a layer
    identity(model) == before

A recording goes on launching the kernels that were launched then, and reads the memory that was read then. What is
noticed:

- parameters and buffers that are elsewhere, or of another type, shape or device: `parameter.data = ...`,
  `load_state_dict(assign=True)`, `model.to(...)`, weights that are quantised or tied anew;
- modules that are added, removed or replaced by others (adapters, parametrizations), and forwards and forward hooks
  of modules;
- of adapters (peft) which are active, disabled and merged, and how they are scaled.

What is not: values that are changed in place, which a recording reads as they are and need not be forgotten for; and
whatever else Python code may look at, such as an entry of a configuration or a number that a hook holds.

Looking takes about a millisecond for 28 layers, and a few with adapters in all of them: a step may be shorter.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

Code = tuple[Any, ...]
ADAPTERS = ("_active_adapter", "_disable_adapters", "merged_adapters", "scaling")
"""What peft keeps of adapters in the layers around a model's own, and in the modules that it trains whole."""


class Identity(NamedTuple):
    """A model as it is at one moment.

    Attributes:
        code: what decides which kernels are launched.
        parameters, buffers: where they find these: addresses.
    """

    code: Code
    parameters: tuple[int, ...]
    buffers: tuple[int, ...]


def modules_of(model: Any) -> list[Any]:
    """All modules, each once; several times as fast as `model.modules()`."""
    found = {model}
    modules = [model]
    for module in modules:  # it grows meanwhile
        for child in tuple(module._modules.values()):
            if child is not None and child not in found:
                found.add(child)
                modules.append(child)
    return modules


def identity(model: Any) -> Identity:
    """What a model is now."""
    code: list[Any] = []
    parameters: list[int] = []
    buffers: list[int] = []
    for module in modules_of(model):
        state, kind = vars(module), type(module)
        code += (kind, kind.forward, state.get("forward"))
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            code += (number for number, hook in hooks.items() if not _is_of_gradients(hook))
        if ADAPTERS[0] in state:
            code += (f"{name}={state[name]}" for name in ADAPTERS if name in state)
        for tensors, places in ((module._parameters, parameters), (module._buffers, buffers)):
            for tensor in filter(lambda tensor: tensor is not None, tensors.values()):
                code += (type(tensor), tensor.dtype, tensor.shape, tensor.layout, tensor.device)
                if tensor.layout is torch.strided:
                    code.append(tensor.stride())
                places += _addresses(tensor)
    return Identity(tuple(code), tuple(parameters), tuple(buffers))


def _is_of_gradients(hook: Any) -> bool:
    """Whether it is transformers' own, of which checkpointing adds one more each time that it is switched on again.

    It launches nothing.
    """
    return getattr(hook, "__qualname__", "").endswith("make_inputs_require_grads")


def _addresses(tensor: torch.Tensor) -> Iterator[int]:
    """Where a tensor is, or those that it is made of are."""
    if is_traceable_wrapper_subclass(tensor):
        parts = (getattr(tensor, name) for name in tensor.__tensor_flatten__()[0])
        for part in parts:
            if isinstance(part, torch.Tensor):  # a DTensor has its mesh among them
                yield from _addresses(part)
    else:
        yield tensor.data_ptr() if tensor.layout is torch.strided else id(tensor)

"""In which type, and on which device, a model runs where that is left open."""

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.engines.names import check_precision, model_path


def resolve_precision(model: str, dtype: str, device: str) -> tuple[str, str]:
    """The type of the weights and the device by name.

    Args:
        model: as for `load`.
        dtype: "auto" is float32 on a CPU and for the shipped models, and bfloat16 on a GPU.
        device: "auto" is the GPU where there is one.

    Returns:
        The type and the device, neither of them "auto".

    Raises:
        EngineError: there is no such type or kind of device.
    """
    check_precision(dtype, device)
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise EngineError(f"device {device!r} cannot be used ({one_line(str(error))}): try auto or cpu") from error
    if dtype == "auto":
        dtype = "float32" if kind == "cpu" or model_path(model) != model else "bfloat16"
    return dtype, device

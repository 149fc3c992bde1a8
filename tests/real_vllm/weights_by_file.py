"""Weights to a vLLM server through files, where there is no NCCL: the transport alone is other than TRL's.

The server is given `ARGUMENTS` and `ENVIRONMENT`; within `sending` TRL's client writes files where it would broadcast.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory

from elastic_reasoning.training.trl.vllm_policy import keep_weights_writable

BACKEND = "files"
ARGUMENTS = (
    f"--weight-transfer-config={json.dumps({'backend': BACKEND})}",
    "--worker-extension-cls=real_vllm.weights_by_file.Extension",
)
SECONDS = 60.0


@dataclass
class Folder(WeightTransferInitInfo):
    """Where the files are."""

    folder: str


@dataclass
class Names(WeightTransferUpdateInfo):
    """What TRL announces of the tensors."""

    names: list[str]
    dtype_names: list[str]
    shapes: list[list[int]]


class ByFile(WeightTransferEngine[Folder, Names]):
    """The server's side: reads one file for each update, and loads what it holds as over NCCL."""

    init_info_cls = Folder
    update_info_cls = Names

    def init_transfer_engine(self, init_info: Folder) -> None:
        self._file = Path(init_info.folder, "weights.safetensors")

    def start_weight_update(self) -> None:
        """vLLM 0.32's reloading leaves a tied output layer behind on a CPU, whose weights are therefore not packed."""

    def finish_weight_update(self) -> None:
        pass

    def update_weights(self, update_info: dict[str, Any]) -> None:
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: Names) -> None:
        deadline = time.monotonic() + SECONDS
        while not self._file.exists():
            assert time.monotonic() < deadline, f"no weights came within {SECONDS} s"
            time.sleep(0.01)
        weights = load_file(self._file)
        self._file.unlink()
        self.model.load_weights((name, weights[name]) for name in update_info.names)

    def shutdown(self) -> None:
        pass


class Extension:
    """Has the server's worker import this module, and so know the backend before its model is loaded."""


@contextmanager
def sending(folder: Path) -> Iterator[None]:
    """TRL's client without NCCL: the rendezvous and the broadcast are replaced, all requests are its own."""
    from trl.generation import vllm_client

    def init_communicator(client: Any, device: Any = 0) -> None:
        assert client.get_server_info()["weight_transfer_config"] is not None
        info = {"init_info": {"folder": str(folder)}}
        client._post(f"{client.base_url}/init_weight_transfer_engine", json=info)

    def broadcast(iterator: Any, group: Any, src: int, post_iter_func: Callable[[Any], torch.Tensor]) -> None:
        save_file({item[0]: post_iter_func(item).detach().clone() for item in iterator}, folder / "part")
        (folder / "part").rename(folder / "weights.safetensors")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm_client.VLLMClient, "init_communicator", init_communicator)
        patch.setattr(vllm_client, "packed_nccl_broadcast_producer", broadcast)
        yield


WeightTransferEngineFactory.register_engine(BACKEND, ByFile)
keep_weights_writable()

"""Where the processes of a run meet."""

import os
import socket

import pytest

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.training.processes import choose_port, rendezvous


def test_a_run_without_a_launcher_has_a_free_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = set()
    for _ in range(3):
        monkeypatch.delenv("MASTER_PORT", raising=False)
        monkeypatch.delenv("MASTER_ADDR", raising=False)
        choose_port()
        ports.add(os.environ["MASTER_PORT"])
        with socket.socket() as server:
            server.bind((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])))
    assert len(ports) > 1


def test_the_port_of_a_launcher_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", "12399")
    choose_port()
    assert os.environ["MASTER_PORT"] == "12399"


def test_a_port_that_is_in_use_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from torch.distributed import TCPStore

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(TrainingError, match=rf"cannot meet at port {port} .*--main_process_port"), rendezvous():
            TCPStore("127.0.0.1", port, 2, is_master=True, timeout=timedelta(seconds=5))

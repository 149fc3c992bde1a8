"""What is copied between host and device, and what is not waited for."""

import random

import pytest
import torch

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.integrations.copies import LastIds
from elastic_reasoning.integrations.edits import LogitEdits
from elastic_reasoning.integrations.row import Row
from kernel_marks import NEEDS_GPU
from letters import letters
from no_waiting import no_waiting

SLEEP_CYCLES = 200_000_000


def test_the_last_ids_are_those_at_the_time_of_asking() -> None:
    chance = random.Random(0)
    ids, num_ids = torch.zeros(5, 9, dtype=torch.int32), torch.zeros(5, dtype=torch.int32)
    last, outputs = LastIds(ids, num_ids), [[chance.randrange(99)] for _ in range(5)]
    for _ in range(8):
        for slot, output in enumerate(outputs):
            ids[slot, : len(output)] = torch.tensor(output)
            num_ids[slot] = len(output)
        slots = chance.sample(range(5), chance.randrange(1, 5))
        with no_waiting():
            last.ask(slots)
        expected = {slot: (len(outputs[slot]), outputs[slot][-1]) for slot in slots}
        for slot in chance.sample(range(5), 3):
            outputs[slot].append(chance.randrange(99))
            ids[slot, len(outputs[slot]) - 1] = outputs[slot][-1]
            num_ids[slot] += 1
        assert last.wait() == expected


@pytest.mark.gpu
@NEEDS_GPU
def test_the_last_ids_are_there_while_the_device_goes_on() -> None:
    ids, num_ids = torch.tensor([[4, 5, 0], [6, 0, 0]], device="cuda"), torch.tensor([2, 1], device="cuda")
    last = LastIds(ids, num_ids)
    torch.cuda.set_sync_debug_mode("error")
    try:
        last.ask([1, 0])
        torch.cuda._sleep(SLEEP_CYCLES)
        assert last.wait() == {1: (1, 6), 0: (2, 5)}
        assert not torch.cuda.current_stream().query()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@NEEDS_GPU
def test_edits_of_rows_wait_for_no_device() -> None:
    template = letters()
    asked = [Options(min_thinking=2), Options(soft_landing=2), Options()]
    rows = [
        Row(Walk(Request(Prompt((4, 5), Thinking.OPEN), Budget(3, 3), options=options), template, 60), [], 0)
        for options in asked
    ]
    of_host, of_device, of_cpu = (
        LogitEdits(3, template.eos),
        LogitEdits(3, template.eos),
        torch.randn(3, template.num_tokens),
    )
    on_gpu = of_cpu.cuda()
    for number in range(5):
        for edits in (of_host, of_device):  # each keeps its plan where its logits are
            for place, row in enumerate(rows):
                edits.set(place, row, place / 2)
        of_host.apply(of_cpu, None)
        torch.cuda.set_sync_debug_mode("error")
        try:
            of_device.apply(on_gpu, None)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        torch.testing.assert_close(on_gpu.cpu(), of_cpu)
        for row in rows:
            row.output.append(6 if row.forced is None else row.forced)
            row.advance()
        of_cpu = torch.randn(3, template.num_tokens, generator=torch.Generator().manual_seed(number))
        on_gpu = of_cpu.cuda()

"""docs/trainers.md: every piece of code runs, and hands its trainer the rollout that our own engine would have made.

The trainers are stood in for by no more than the names that a piece imports.
"""

import asyncio
import re
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from elastic_reasoning.core.request import Request
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from elastic_reasoning.rollouts.rows import tokens_of
from elastic_reasoning.rollouts.single import new_walk
from letters import by_position

PAGE = (Path(__file__).parents[2] / "docs" / "trainers.md").read_text("utf-8")
PIECES = dict(re.findall(r"^```python\n# (budgeted_\w+)\.py[^\n]*\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
TOKENIZER, TEMPLATE = load_template("mini")
MESSAGES = [{"role": "user", "content": "a 4 b +7 ="}]
TEXT = TOKENIZER.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=False)
PROMPT: list[int] = TOKENIZER(TEXT, add_special_tokens=False)["input_ids"]
BUDGET = "6+4"
SAYS = TEMPLATE.encode("a 4 b +7 a 4 b 1 answer 1 a 4 b +7")
EOS = TOKENIZER.eos_token_id
SCRIPT = by_position(SAYS, TEMPLATE)


class Status(Enum):
    COMPLETED = "completed"
    TRUNCATED = "truncated"


async def post(url: str, asked: dict[str, Any]) -> dict[str, Any]:
    assert url == "http://127.0.0.1:3000/generate"
    params = asked["sampling_params"]
    ids = stretch(asked["input_ids"], params["max_new_tokens"], params["stop_token_ids"])
    pairs = [(logprob, token, None) for logprob, token in zip(logprobs(asked["input_ids"], ids), ids, strict=True)]
    return {"meta_info": {"output_token_logprobs": pairs}}


STAND_INS: dict[str, dict[str, Any]] = {
    "openrlhf.utils.agent": {"AgentExecutorBase": object},
    "vllm": {"SamplingParams": SimpleNamespace},
    "areal.api": {"ModelRequest": SimpleNamespace, "RolloutWorkflow": object},
    "skyrl.train.generators.base": {"GeneratorInterface": object},
    "slime.rollout.sglang_rollout": {"GenerateState": lambda args: SimpleNamespace(tokenizer=TOKENIZER)},
    "slime.utils.http_utils": {"post": post},
    "slime.utils.types": {"Sample": SimpleNamespace(Status=Status)},
    "nemo_rl.distributed.batched_data_dict": {"BatchedDataDict": dict},
}


def stretch(ids: Sequence[int], most: int, stops: Sequence[int]) -> list[int]:
    """What a trainer's engine samples behind ids: the words of the script, to the first stop or the limit."""
    completion, new = list(ids[len(PROMPT) :]), list[int]()
    assert list(ids[: len(PROMPT)]) == PROMPT
    while len(new) != most and not (new and new[-1] in stops):
        new.append(next(iter(SCRIPT(REQUEST, completion + new))))
    return new


def logprobs(ids: Sequence[int], new: Sequence[int]) -> list[float]:
    start = len(ids) - len(PROMPT)
    return [scripted_logprob(start + n, token) for n, token in enumerate(new)]


def expected() -> tuple[Request, Trace]:
    """The rollout as the scripted engine makes it."""
    walk = new_walk(TOKENIZER, PROMPT, BUDGET)
    return walk.request, next(run(ScriptedEngine(SCRIPT, TEMPLATE), [walk]))


REQUEST, TRACE = expected()
TOKENS = tokens_of(TRACE, EOS)


@pytest.fixture
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a piece of the page defines."""
    for name, values in STAND_INS.items():
        parts = name.split(".")
        for n in range(1, len(parts) + 1):
            whole = ".".join(parts[:n])
            monkeypatch.setitem(sys.modules, whole, sys.modules.get(whole, ModuleType(whole)))
        for own, value in values.items():
            monkeypatch.setattr(sys.modules[name], own, value, raising=False)
    names: dict[str, Any] = {}
    code = PIECES[request.param].replace('"1024+1024"', f'"{BUDGET}"')
    exec(compile(code, f"{request.param}.py", "exec"), names)
    return names


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("piece", [f"budgeted_{name}"], indirect=True)


def test_every_piece_is_run_here() -> None:
    here = Path(__file__).read_text("utf-8")
    assert set(PIECES) == {f"budgeted_{name}" for name in re.findall(r'^@of\("(\w+)"\)', here, re.MULTILINE)}
    assert TRACE.forced_close
    assert TRACE.solution_cut
    assert 0 in TOKENS.loss_mask


@of("openrlhf")
def test_openrlhf(piece: dict[str, Any]) -> None:
    class Engine:
        async def generate(self, ids: list[int], params: Any) -> Any:
            new = stretch(ids, params.max_tokens, params.stop_token_ids)
            found = zip(new, logprobs(ids, new), strict=True)
            at = [{token: SimpleNamespace(logprob=logprob)} for token, logprob in found]
            return SimpleNamespace(outputs=[SimpleNamespace(token_ids=new, logprobs=at)])

    params = SimpleNamespace(temperature=1.0)
    executor = piece["AgentExecutor"]()
    said = asyncio.run(executor.execute(TEXT, "1", params, 64, TOKENIZER, Engine()))
    assert said["observation_tokens"] == [*PROMPT, *TRACE.ids]
    learnt = [n for start, end in said["action_ranges"] for n in range(start, end)]
    assert learnt == [n for n, on in enumerate([0] * len(PROMPT) + TOKENS.loss_mask) if on]
    assert said["rollout_log_probs"][len(PROMPT) :] == TOKENS.logprobs
    assert said["truncated"]


@of("areal")
def test_areal(piece: dict[str, Any]) -> None:
    class Hyperparameters(SimpleNamespace):
        def new(self, **values: Any) -> Any:
            return Hyperparameters(**{**vars(self), **values})

    class Engine:
        async def agenerate(self, asked: Any) -> Any:
            new = stretch(asked.input_ids, asked.gconfig.max_new_tokens, asked.gconfig.stop_token_ids)
            return SimpleNamespace(output_tokens=new, output_logprobs=logprobs(asked.input_ids, new))

        def get_version(self) -> int:
            return 3

    workflow = piece["BudgetedWorkflow"](Hyperparameters(temperature=1.0), TOKENIZER, BUDGET, lambda text, data: 0.5)
    batch = asyncio.run(workflow.arun_episode(Engine(), {"messages": MESSAGES}))
    assert batch["input_ids"].tolist() == [[*PROMPT, *TRACE.ids]]
    assert batch["loss_mask"].tolist() == [[0] * len(PROMPT) + TOKENS.loss_mask]
    assert set(batch["versions"][batch["loss_mask"] == 1].tolist()) == {3}
    assert batch["rewards"].tolist() == [0.5]


@of("skyrl")
def test_skyrl(piece: dict[str, Any]) -> None:
    class Client:
        async def generate(self, batch: dict[str, Any]) -> dict[str, Any]:
            (ids,), params = batch["prompt_token_ids"], batch["sampling_params"]
            new = stretch(ids, params["max_tokens"], params["stop_token_ids"])
            return {"response_ids": [new], "response_logprobs": [logprobs(ids, new)]}

    generator = piece["BudgetedGenerator"](Client(), TOKENIZER, BUDGET, lambda text, extra: 1.0)
    batch = {"prompts": [MESSAGES, MESSAGES], "sampling_params": {"temperature": 1.0}, "env_extras": None}
    said = asyncio.run(generator.generate(batch))
    assert said["prompt_token_ids"] == [PROMPT, PROMPT]
    assert said["response_ids"] == [list(TRACE.ids)] * 2
    assert said["loss_masks"] == [TOKENS.loss_mask] * 2
    assert said["rollout_logprobs"] == [TOKENS.logprobs] * 2
    assert (said["rewards"], said["stop_reasons"]) == ([1.0, 1.0], ["length", "length"])


@of("slime")
def test_slime(piece: dict[str, Any]) -> None:
    args = SimpleNamespace(sglang_router_ip="127.0.0.1", sglang_router_port=3000, rollout_temperature=1.0)
    sample = asyncio.run(piece["generate"](args, SimpleNamespace(prompt=TEXT), {"temperature": 1.0}))
    assert sample.tokens == [*PROMPT, *TRACE.ids]
    assert (sample.loss_mask, sample.rollout_log_probs) == (TOKENS.loss_mask, TOKENS.logprobs)
    assert sample.response_length == len(TRACE.ids)
    assert (sample.status, sample.remove_sample) == (Status.TRUNCATED, False)


@of("nemo_rl")
def test_nemo_rl(piece: dict[str, Any]) -> None:
    class Policy:
        def generate(self, data: dict[str, Any], greedy: bool) -> dict[str, Any]:
            rows = [row[:n].tolist() for row, n in zip(data["input_ids"], data["input_lengths"], strict=True)]
            new = [stretch(row, 9, [EOS]) for row in rows]  # of stops it knows the end of a sequence alone
            whole = [torch.tensor([*row, *more]) for row, more in zip(rows, new, strict=True)]
            values = [torch.tensor([0.0] * len(row) + logprobs(row, more)) for row, more in zip(rows, new, strict=True)]
            pad = torch.nn.utils.rnn.pad_sequence
            return {
                "output_ids": pad(whole, batch_first=True),
                "logprobs": pad(values, batch_first=True),
                "unpadded_sequence_lengths": torch.tensor([len(each) for each in whole]),
            }

    logs = [[{"role": "user", "token_ids": torch.tensor(PROMPT)}] for _ in range(2)]
    piece["append_rollouts"](Policy(), logs, TOKENIZER, BUDGET)
    for log in logs:
        said = log[1:]
        assert [token for message in said for token in message["token_ids"].tolist()] == list(TRACE.ids)
        mask = [int(message["role"] == "assistant") for message in said for _ in message["token_ids"]]
        assert mask == TOKENS.loss_mask
        values = torch.cat([message["generation_logprobs"] for message in said])
        assert torch.allclose(values, torch.tensor(TOKENS.logprobs))


@of("verifiers")
def test_verifiers(piece: dict[str, Any]) -> None:
    """A node as verifiers commits it: all that the server has sent counts as sampled, until it is masked."""
    sent = [scripted_logprob(n, token) for n, token in enumerate(TRACE.ids)]
    asked = SimpleNamespace(token_ids=PROMPT[:-1], mask=[False] * len(PROMPT[:-1]), logprobs=[], sampled=False)
    mask = [False] + [True] * len(TRACE.ids)
    said = SimpleNamespace(token_ids=[PROMPT[-1], *TRACE.ids], mask=mask, logprobs=sent, sampled=True)
    trace = SimpleNamespace(branches=[SimpleNamespace(nodes=[asked, said])])
    for _ in range(2):  # a second time changes nothing
        piece["mask_forced"](trace, to_wire(REQUEST), TOKENIZER)
        assert said.token_ids == [PROMPT[-1], *TRACE.ids]
        assert said.mask == [False, *map(bool, TOKENS.loss_mask)]
        assert said.logprobs == [value for value, on in zip(sent, TOKENS.loss_mask, strict=True) if on]

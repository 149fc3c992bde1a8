"""The benchmark of the plug-in on real vLLM: what it asks, and what it says of what it has measured."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from engine_tables import throughput as block

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

import budget_load as sides
import turns
import vllm_throughput as script
from rich.console import Console

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]


def test_requests_are_the_same_for_the_same_repeat_and_too_short_for_the_prefix_cache() -> None:
    mixed = sides.new_requests("mixed", 64, seed=1)
    assert mixed == sides.new_requests("mixed", 64, seed=1)
    assert mixed != sides.new_requests("mixed", 64, seed=2)
    limits = [sides.thought(request) for request in mixed]
    assert 8 <= min(limits) < 20
    assert 116 < max(limits) <= 128
    assert {sides.thought(request) for request in sides.new_requests("fixed", 8, seed=1)} == {68}
    for request in mixed:
        assert len(request.prompt.ids) < 32
        assert len(request.prompt.ids) + sides.size(request) <= sides.CONTEXT
        assert sides.unbudgeted(request).budget.solution == sides.size(request)


def test_answers_of_another_length_or_with_a_misplaced_delimiter_are_refused() -> None:
    [request] = sides.new_requests("fixed", 1, seed=1)
    right = [9] * 68 + [sides.CLOSING] + [9] * sides.SOLUTION
    assert sides.check([request], [right], budgeted=True) == 101
    assert sides.check([request], [[9] * 101], budgeted=False) == 101
    late = [9] * 69 + [sides.CLOSING] + [9] * (sides.SOLUTION - 1)
    for wrong, budgeted in ((right[:-1], True), (late, True), ([9] * 101, True), (right, False), ([1] * 101, False)):
        with pytest.raises(SystemExit, match="wrong: "):
            sides.check([request], [wrong], budgeted)


def test_the_model_cannot_sample_a_special_token(tmp_path: Path) -> None:
    sides.write_model(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    ids = torch.tensor([request.prompt.ids[:8] for request in sides.new_requests("mixed", 8, seed=1)])
    with torch.no_grad():
        probabilities = model(ids).logits.softmax(-1)
    special = len(sides.SPECIAL)
    assert probabilities[..., :special].max() == 0
    assert 1 / sides.VOCABULARY < probabilities[..., special:].max() < 0.5
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.convert_tokens_to_ids(list(sides.SPECIAL)) == [0, sides.EOS, sides.OPENING, sides.CLOSING]


def test_a_ratio_is_the_median_within_repeats_and_what_is_missed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    reached = turns.compared("mixed", "plug-in / two phases", [10, 30, 20], [8, 10, 16], script.TARGETS)
    missed = turns.compared("mixed", "plug-in / unbudgeted", [9, 9, 9], [10, 10, 10], script.TARGETS)
    told = turns.compared("fixed", "HTTP, one pass / two calls", [9, 9, 9], [10, 10, 10], script.TARGETS)
    assert (reached.value, reached.reached) == (1.25, True)
    assert reached.error == pytest.approx(1.2533 * 1.0104 / 3**0.5, rel=1e-3)
    assert (missed.value, missed.reached) == (0.9, False)
    assert told.target is None
    turns.show([reached, missed, told], Console(width=120))
    rows = [line for line in capsys.readouterr().out.splitlines() if "plug-in" in line or "HTTP" in line]
    assert ["reached" in row for row in rows] == [True, False, False]
    assert ["missed" in row for row in rows] == [False, True, False]
    own = {"own_share": script.by_thinking([0.5, 0.03, 0.05, 0.04, 0.02, 0.01, 0.02], 3)}
    text = block(json.loads(json.dumps(script.report([reached, missed, told], 128, 32, 5, 0.5) | own)))
    assert "its own functions take 4.0% (mixed) and 2.0% (fixed)." in text
    assert "| mixed | plug-in / unbudgeted | 9 | 10 | 0.90 ± 0.00 | ≥ 0.97 (**missed**) |" in text
    assert "| fixed | HTTP, one pass / two calls | 9 | 10 | 0.90 ± 0.00 |  |" in text
    assert "128 prompts, 32 rows" in text

"""Records of a sweep as logs of inspect_ai, so that its viewer shows their traces.

    python -m elastic_reasoning.integrations.inspect_ai.logs runs/sweep --out logs
    inspect view --log-dir logs

One log for each setting. A sample has its thinking and its solution as its message, what became of the budget as that
message's metadata, and every stretch of tokens, sampled or forced, as its own.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from math import fsum
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalError,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageUser,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import CORRECT, INCORRECT, Score

from elastic_reasoning.analysis.errorbars import clustered_se
from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.integrations.answers import COUNTS, RATES
from elastic_reasoning.integrations.inspect_ai.outputs import KEY
from elastic_reasoning.integrations.inspect_ai.tasks import SCORER
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import Asked, Manifest
from elastic_reasoning.records.record import Record


def write_logs(folder: Path, out: Path) -> list[Path]:
    """Write a log for each setting of a folder of records, over those that are there, and return their paths.

    Raises:
        RecordsError: the records cannot be read.
    """
    manifest, records = read_records(folder)
    asked = {problem["id"]: problem for problem in manifest.problems}
    paths = []
    for setting, group in by_setting(records).items():
        parts = (manifest.created, manifest.task, f"{setting.model}/{setting.strategy}/{setting.budget}")
        name = "_".join(re.sub(r"[^a-zA-Z0-9.+-]+", "-", part) for part in parts)  # when, which task, and which of them
        paths.append(out / f"{name}.eval")
        write_eval_log(_log(manifest, setting, [*group], asked), str(paths[-1]))
    return paths


def _log(manifest: Manifest, setting: Setting, records: Sequence[Record], asked: Mapping[str, Asked]) -> EvalLog:
    model, drawn = f"elastic/{setting.model}", manifest.config["sampling"]
    samples = [_sample(record, model, asked[record.problem]) for record in records]
    problems, usage = [*dict.fromkeys(record.problem for record in records)], ModelUsage()
    for sample in samples:
        usage += sample.model_usage.get(model, ModelUsage())
    return EvalLog(
        status="success",
        eval=EvalSpec(
            created=manifest.created,
            task=manifest.task,
            task_id=str(setting),  # logs with the same one are taken for attempts at the same evaluation
            dataset=EvalDataset(name=manifest.task, samples=len(problems), sample_ids=problems),
            model=model,
            task_args={  # which the viewer's list shows
                "strategy": setting.strategy,
                "budget": str(setting.budget),
                **manifest.config["options"].get(setting.strategy, {}),
            },
            model_generate_config=GenerateConfig(
                temperature=drawn["temperature"], top_p=drawn["top_p"], top_k=drawn["top_k"], seed=manifest.seed
            ),
            config=EvalConfig(epochs=1 + max(record.sample for record in records)),
            packages={"elastic-reasoning": str(manifest.versions["elastic-reasoning"])},
            metadata={"split": manifest.split, "commit": manifest.commit},
        ),
        results=_results(records),
        stats=EvalStats(started_at=manifest.created, completed_at=manifest.created, model_usage={model: usage}),
        samples=samples,
    )


def _results(records: Sequence[Record]) -> EvalResults:
    """Accuracy and its standard error, clustered by problem, as tables of ours have them."""
    values: dict[str, list[float]] = {}
    for record in records:
        if record.correct is not None:
            values.setdefault(record.problem, []).append(float(record.correct))
    num = sum(map(len, values.values()))
    found = {
        "accuracy": fsum(map(fsum, values.values())) / num if num else None,
        "stderr": clustered_se([*values.values()]),
    }
    metrics = {name: EvalMetric(name=name, value=value) for name, value in found.items() if value is not None}
    return EvalResults(
        total_samples=len(records),
        completed_samples=num,
        scores=[EvalScore(name=SCORER, scorer=SCORER, scored_samples=num, metrics=metrics)],
    )


def _sample(record: Record, model: str, asked: Asked) -> EvalSample:
    question = ChatMessageUser(content=asked["question"], source="input")
    common = {
        "id": record.problem,
        "epoch": record.sample + 1,
        "input": [question],
        "target": asked["answer"],
        "total_time": record.seconds,
    }
    if record.correct is None:
        said = record.error or ""
        return EvalSample(
            **common, messages=[question], error=EvalError(message=said, traceback=said, traceback_ansi=said)
        )
    beside = record.num_probe_tokens + record.num_branch_tokens
    num_tokens = sum(len(part["ids"]) for part in record.segments) + beside
    usage = ModelUsage(
        output_tokens=num_tokens, total_tokens=num_tokens, reasoning_tokens=record.num_thinking_tokens + beside
    )  # of prompts a record knows nothing
    message = _message(record, model)
    stop_reason = "max_tokens" if record.solution_cut else "stop"
    choice = ChatCompletionChoice(message=message, stop_reason=stop_reason)
    return EvalSample(
        **common,
        messages=[question, message],
        output=ModelOutput(model=model, choices=[choice], usage=usage),
        scores={SCORER: _score(record)},
        model_usage={model: usage},
    )


def _message(record: Record, model: str) -> ChatMessageAssistant:
    thinking = "".join(part["text"] for part in record.segments if part["phase"] == Phase.THINKING)
    content: list[Content] = [ContentReasoning(reasoning=thinking)] if thinking else []
    stretches = [
        {
            "phase": part["phase"],
            "num_tokens": len(part["ids"]),
            "made": "sampled" if part["sampled"] else "forced",
            "ended_by": part["finish"],
            "text": part["text"],
        }
        for part in record.segments
    ]
    account: dict[str, Any] = {"strategy": record.strategy, "budget": record.budget}
    account |= {name: getattr(record, name) for name in (*COUNTS, *RATES)}
    if record.branches:
        account["branches"] = [
            {
                "is_chosen": branch.is_chosen,
                "ended_by": branch.finish,
                "num_spent_tokens": branch.num_spent_tokens,
                "votes_for": branch.votes_for,
                "solution": branch.solution,
            }
            for branch in record.branches
        ]
    return ChatMessageAssistant(
        content=[*content, ContentText(text=record.solution)],
        model=model,
        source="generate",
        metadata={KEY: {**account, "stretches": stretches}},
    )


def _score(record: Record) -> Score:
    value = CORRECT if record.correct else INCORRECT
    details = {"rule": record.rule, "unboxed": record.unboxed, "tallies": record.tallies}
    return Score(value=value, answer=record.answer, explanation=record.reason, metadata=details)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m elastic_reasoning.integrations.inspect_ai.logs",
        description="Write the records of a sweep as logs that inspect view shows.",
    )
    parser.add_argument("records", type=Path, help="folder that a sweep has written")
    parser.add_argument("--out", type=Path, default=Path("logs"), help="folder for the logs (default: logs)")
    given = parser.parse_args(argv)
    try:
        paths = write_logs(given.records, given.out)
    except ElasticError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(paths)} logs in {given.out}: inspect view --log-dir {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Logs of inspect_ai as a table: accuracy with its standard error, and tokens, for each task, model and budget.

    python -m elastic_reasoning.integrations.inspect_ai.table logs/sweep
    for row in read_table("logs/sweep"): print(row.budget, row.accuracy, row.accuracy_se)

Standard errors are clustered by problem. A sample with an error is counted and otherwise left out.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import fsum
from statistics import fmean

from inspect_ai.log import EvalLog, EvalLogInfo, EvalSample, list_eval_logs, read_eval_log, read_eval_log_samples
from inspect_ai.scorer import value_to_float

from elastic_reasoning.analysis.errorbars import clustered_se
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.integrations.inspect_ai.outputs import KEY

HEAD = ("task", "model", "strategy", "budget", "accuracy", "thinking", "in all", "samples", "errors")


@dataclass(frozen=True, slots=True)
class Row:
    """One setting on one task. Means are over the samples without an error; `None` where there is none."""

    task: str
    model: str
    strategy: str
    """Empty for models of other providers."""
    budget: str
    """As 24+20; empty where the log does not say."""
    num_samples: int
    """Without an error."""
    num_errors: int
    accuracy: float | None
    """Mean of the first scorer's values, in 0 to 1 where these are right and wrong."""
    accuracy_se: float | None
    """Its standard error, clustered by problem; `None` for fewer than two problems."""
    thinking_tokens: float | None
    """Mean a sample, over all of its calls, as the provider counts them."""
    output_tokens: float | None
    """Mean a sample, thinking among them."""


def read_table(log_dir: str) -> list[Row]:
    """A row for each task, model, strategy and budget that the logs of a folder have, in that order.

    Raises:
        UsageError: there are no logs.
    """
    logs: list[EvalLogInfo] = list_eval_logs(log_dir)
    if not logs:
        raise UsageError(f"{log_dir} has no logs: give a folder that inspect_ai has written")
    found: dict[tuple[str, str, str, str], list[EvalLogInfo]] = defaultdict(list)
    for info in logs:
        log = read_eval_log(info, header_only=True)
        found[_setting(log, next(_samples(info), None))].append(info)
    order = sorted(found, key=lambda setting: (*setting[:3], _size(setting[3])))
    return [_row(setting, chain.from_iterable(map(_samples, found[setting]))) for setting in order]


def _samples(info: EvalLogInfo) -> Iterator[EvalSample]:
    return iter(read_eval_log_samples(info, all_samples_required=False))


def _setting(log: EvalLog, sample: EvalSample | None) -> tuple[str, str, str, str]:
    account = {} if sample is None or sample.output.empty else (sample.output.message.metadata or {}).get(KEY, {})
    budget = (log.eval.metadata or {}).get("budget") or account.get("budget", "")
    return log.eval.task, log.eval.model, account.get("strategy", ""), budget


def _size(budget: str) -> list[float]:
    return [float(part) for part in budget.split("+") if part]


def _row(setting: tuple[str, str, str, str], samples: Iterable[EvalSample]) -> Row:
    values: dict[str | int, list[float]] = defaultdict(list)
    thinking, output, num_errors, to_float = list[int](), list[int](), 0, value_to_float()
    for sample in samples:
        if sample.error is not None or not sample.scores:
            num_errors += 1
            continue
        values[sample.id].append(to_float(next(iter(sample.scores.values())).value))
        usage = sample.model_usage.values()
        thinking.append(sum(each.reasoning_tokens or 0 for each in usage))
        output.append(sum(each.output_tokens for each in usage))
    num = len(thinking)
    return Row(
        *setting,
        num,
        num_errors,
        fsum(chain.from_iterable(values.values())) / num if num else None,
        clustered_se([*values.values()]),
        fmean(thinking) if num else None,
        fmean(output) if num else None,
    )


def written(rows: Sequence[Row]) -> str:
    """Rows as a table of text."""
    lines = [
        (
            row.task,
            row.model,
            row.strategy,
            row.budget,
            "-" if row.accuracy is None else f"{row.accuracy:.3f} ± {row.accuracy_se or 0:.3f}",
            "-" if row.thinking_tokens is None else f"{row.thinking_tokens:.1f}",
            "-" if row.output_tokens is None else f"{row.output_tokens:.1f}",
            str(row.num_samples),
            str(row.num_errors),
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(HEAD, *lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in (HEAD, *lines))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m elastic_reasoning.integrations.inspect_ai.table LOG_DIR")
    try:
        print(written(read_table(sys.argv[1])))
    except UsageError as error:
        sys.exit(str(error))

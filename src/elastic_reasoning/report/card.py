"""The model card of an exported model, in the format of the hub: metadata, and all that its user should know.

    write_card(run, folder, "owner/e1-model", records=Path("runs/sweep"))     # README.md and figures/

Nothing of the machine is told: models, tasks and data that are local go by their names alone.
"""

import html
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import matplotlib as mpl
import yaml
from matplotlib.figure import Figure

from elastic_reasoning.analysis.metrics import Row, summarise
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.records.digests import models_digest
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.manifest import MODELS_DIGEST, Manifest
from elastic_reasoning.report.columns import columns_of
from elastic_reasoning.report.figures import accuracy_figure
from elastic_reasoning.report.figures.look import STYLE
from elastic_reasoning.report.figures.training import training_figure
from elastic_reasoning.rollouts.plan import BudgetRange
from elastic_reasoning.tasks.code import DEEPCODER
from elastic_reasoning.tasks.mathematics import SOURCES
from elastic_reasoning.training.export import FinishedRun
from elastic_reasoning.training.provenance import TrainedFor, public_name

PACKAGES = ("elastic-reasoning", "torch", "transformers", "trl", "peft", "vllm")
DATA_SETS = {"deepscaler": SOURCES["deepscaler"].hub.name, "deepcoder": DEEPCODER}
PLANS = {
    "fixed": "every rollout had the same budget",
    "random": "each prompt drew a budget",
    "curriculum": "one budget after the other",
    "anytime": "each thinking was cut and answered at every budget",
    "serial": "each thinking was cut and answered at random places",
}


def write_card(run: FinishedRun, folder: Path, name: str, records: Path | None = None) -> None:
    """Write README.md and its figures beside the weights.

    Args:
        run: what was trained.
        folder: of the exported model.
        name: what the model is called, on the hub or as a folder.
        records: folder of a sweep of this model, for the table of accuracies.

    Raises:
        RecordsError: the records cannot be read, or hold nothing of these weights.
    """
    measured = _measured(run, folder, records) if records else None
    _save(training_figure(run.metrics), folder / "figures" / "training.png")
    if measured:
        fixed = run.about.plan == "fixed" and len(run.about.budgets) == 1
        marked = run.about.budgets[0] if fixed and _example(run.about).thinking is not None else ""
        _save(accuracy_figure(measured[1], trained_at=marked), folder / "figures" / "accuracy.png")
    text = "\n".join(_lines(run, name, measured))
    whole = f"---\n{_metadata(run)}---\n\n{text}\n"
    (folder / "README.md").write_text(whole, encoding="utf-8", errors="backslashreplace")


def _measured(run: FinishedRun, folder: Path, records: Path) -> tuple[Manifest, list[Row]]:
    """The records' rows of this model, which is known by its weights, under the name of the export."""
    manifest, found = read_records(records)
    own = models_digest([str(run.model), str(folder)]).values()
    digests = manifest.config.get(MODELS_DIGEST, {})
    names = [model for model in manifest.config.get("models", ()) if digests.get(model) in own]
    if not names:
        measured = ", ".join(manifest.config.get("models", ())) or "none"
        raise RecordsError(
            f"{records} has nothing of the weights in {run.model}, its models are {measured}: "
            f"elastic sweep --models {run.model} --task {manifest.task}"
        )
    return manifest, summarise(found.of_model(names[0]))


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=160, metadata={"Software": None})


def _metadata(run: FinishedRun) -> str:
    """The front matter. A model or data set is named only where it has a name on the hub."""
    values: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["elastic-reasoning", "reasoning", "grpo", *run.about.strategies],
    }
    if "/" in run.about.model:
        values |= {"base_model": run.about.model, "base_model_relation": "finetune"}
    if run.about.task in DATA_SETS:
        values["datasets"] = [DATA_SETS[run.about.task]]
    return yaml.safe_dump(values, sort_keys=False)


def _example(about: TrainedFor) -> Budget:
    """A budget to try: the last that training saw, at its largest."""
    return BudgetRange.parse(about.budgets[-1]).high


def _lines(run: FinishedRun, name: str, measured: tuple[Manifest, list[Row]] | None) -> Iterator[str]:
    about = run.about
    strategies, budgets = ", ".join(about.strategies), ", ".join(about.budgets)
    yield f"# {name.rpartition('/')[2]}\n"
    yield (
        f"A reasoning model that was trained under separate token budgets for thinking and for the solution, from "
        f"`{about.model}`, with GRPO.\n"
    )
    yield "| trained for | |\n|---|---|"
    yield f"| strategy | {_cell(strategies)} |"
    plan = _cell(f"{budgets} ({about.plan}: {PLANS.get(about.plan, about.plan)})")
    yield f"| budgets, thinking + solution tokens | {plan} |"
    if about.options:
        yield f"| options | `{json.dumps(about.options, ensure_ascii=False)}` |"
    yield f"| temperature | {about.temperature:g} |"
    yield f"| task | {_cell(about.task)} |"
    yield f"| step | {about.step} of {run.recipe['steps']} |"
    yield "\nThe same is in `elastic.json`, for programs.\n"
    yield from _use(about, name)
    if measured:
        yield from _accuracy(*measured)
    yield "## Training\n"
    yield "![Reward, lengths and forced closes over the steps](figures/training.png)\n"
    yield from _data(about)
    yield "The whole recipe, for `elastic train --recipe`:\n"
    yield f"```yaml\n{yaml.safe_dump(_recipe(run), sort_keys=False, allow_unicode=True)}```\n"
    yield f"Exported with {_versions()}.\n"
    yield from _limits(about, measured)


def _cell(text: str) -> str:
    """A text of the run's files as it may stand in a table of Markdown."""
    return html.escape(one_line(text), quote=False).replace("|", "\\|")


def _use(about: TrainedFor, name: str) -> Iterator[str]:
    budget, strategy = _example(about), about.strategies[0]
    thinking, solution = ("inf" if part is None else part for part in (budget.thinking, budget.solution))
    flag = "" if strategy == DEFAULT_STRATEGY else f" --strategy {strategy}"
    given = "" if strategy == DEFAULT_STRATEGY else f', strategy="{strategy}"'
    question = "How many primes are below 100?"
    extra = {"thinking_budget": thinking, "solution_budget": solution}
    xargs = json.dumps({**({} if strategy == DEFAULT_STRATEGY else {"strategy": strategy}), **extra})
    body = f'{{"model": "{name}", "messages": [{{"role": "user", "content": "{question}"}}], "vllm_xargs": {xargs}}}'
    yield "## Use\n"
    yield "```\npip install elastic-reasoning"
    yield f'elastic generate "{question}" --model {name} --budget {budget}{flag}\n```\n'
    yield "```python\nfrom elastic_reasoning import ask, load\n"
    yield f'trace = ask(load("{name}"), "{question}", "{budget}"{given})'
    yield "print(trace.thinking_text, trace.solution_text, trace.budget_hit)\n```\n"
    yield "Served by vLLM, whose plug-in keeps the budgets of every request:\n"
    yield f'```\npip install "elastic-reasoning[vllm]"\nvllm serve {name}'
    yield f"curl localhost:8000/v1/chat/completions -H 'Content-Type: application/json' -d '{body}'\n```\n"


def _accuracy(manifest: Manifest, rows: Sequence[Row]) -> Iterator[str]:
    columns = [column for column in columns_of(rows) if column.brief]
    num = len(manifest.problems)
    yield "## Accuracy by budget\n"
    yield f"Task {public_name(manifest.task)}, {manifest.split} split, {num} problems; ± is one standard error.\n"
    yield "![Accuracy over the total budget](figures/accuracy.png)\n"
    yield f"| strategy | budget | {' | '.join(column.title for column in columns)} |"
    yield f"|---|---:|{'---:|' * len(columns)}"
    for row in rows:
        yield f"| {row.strategy} | {row.budget} | {' | '.join(column.text(row) for column in columns)} |"
    yield ""


def _data(about: TrainedFor) -> Iterator[str]:
    name = DATA_SETS.get(about.task)
    source = f" ([{name}](https://huggingface.co/datasets/{name}))" if name else ""
    yield f"Data: the training problems of task `{about.task}`{source}.\n"


def _recipe(run: FinishedRun) -> dict[str, Any]:
    return {**run.recipe, "model": run.about.model, "task": run.about.task}


def _versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _limits(about: TrainedFor, measured: tuple[Manifest, list[Row]] | None) -> Iterator[str]:
    yield "## Limits\n"
    yield (
        f"- This is the checkpoint with the best mean reward on validation problems of `{about.task}`. Its accuracy on "
        f"them is {about.accuracy:.1%}. It was selected on them, so that the number is too high for new problems."
    )
    yield "- It was trained on one task. Under budgets, strategies and tasks that training did not see, measure first."
    if measured:
        manifest, _ = measured
        when = datetime.fromisoformat(manifest.created).date()
        yield f"- The table was measured on {when}, with elastic-reasoning {manifest.versions['elastic-reasoning']}."
    else:
        yield "- Its accuracy under budgets was not measured for this card: `elastic sweep`."
    yield "- The licence and the limits of the model that training started from apply."

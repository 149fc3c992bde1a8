"""`elastic elo`: Codeforces rating and percentile from records and saved contest tables."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from elastic_reasoning.analysis.codeforces.contests import read_contests
from elastic_reasoning.analysis.codeforces.elo import CONTEST_LEFT_OUT, NUM_ATTEMPTS, Rating, rate
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.console import table_console
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.log import read_records
from elastic_reasoning.report.layout import parts_of
from elastic_reasoning.report.published import published


@dataclass(frozen=True)
class EloConfig:
    """What is rated."""

    records: str = ""
    """Folder of a run on the task codeforces; the first argument may stand for it."""
    contests: str = ""
    """Folder of contest tables, one NUMBER.json each; without one there is no rating, and what is missing is named."""
    attempts: int = NUM_ATTEMPTS
    """How many samples of a problem count."""
    json: bool = False
    """Print JSON."""


EXAMPLE = """
elastic elo runs/codeforces --contests contests
"""
MISSING = (
    "no contest could be used, so there is no rating: save contest.standings and contest.ratingChanges of each as "
    "CONTESTS/NUMBER.json, and pass --contests CONTESTS"
)


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        EloConfig,
        argv,
        command="elo",
        about="Rate a model on Codeforces: its place in past contests, from tables that were saved before.",
        example=EXAMPLE,
        positional="records",
    )
    if not config.records:
        raise UsageError("no folder of records: elastic elo runs/codeforces --contests contests")
    contests = read_contests(Path(config.contests)) if config.contests else {}
    manifest, records = read_records(config.records)
    ratings = rate(records, contests, config.attempts)
    if not any(rating.contests or rating.contests_left_out for rating in ratings):
        raise UsageError(
            f"{config.records} holds records of task {manifest.task}, none of a contest: rate a run on codeforces"
        )
    if config.json:
        say_json([asdict(rating) for rating in ratings], indent=2)
        return 0
    rated = any(rating.contests for rating in ratings)
    if rated:
        console = table_console()
        console.print(*ratings_tables(ratings, console.width), sep="\n")
        say("\n".join(published_ratings()))
    say("\n".join([*left_out(ratings), *([] if rated else [MISSING])]))
    return 0


def ratings_tables(ratings: Sequence[Rating], width: int) -> list[Table | str]:
    """One line for each setting, in as many tables as the width asks for, and what they say."""
    titles = ("rating", "percentile", "solved", "contests")
    figures = [_figures(each) for each in ratings]
    columns = {f" {title}": [each[n] for each in figures] for n, title in enumerate(titles)}
    names = [str(Setting.of(each.model, each.strategy, each.budget)) for each in ratings]
    num_attempts = max((each.num_attempts for each in ratings), default=0)
    num_errors = sum(each.num_errors for each in ratings)
    about = (
        f"± is one standard error over contests, and brackets hold its 95% interval; at most {num_attempts} attempts a "
        f"problem; {num_errors} records with an error are none"
    )
    return [*parts_of(names, columns, width, "setting"), about]


def published_ratings() -> list[str]:
    """What papers print, a line for each model with its source."""
    lines = []
    for series in published("codeforces"):
        points = ", ".join(f"{point.rating:.0f} ({point.percentile}%) at {point.budget}" for point in series.points)
        lines.append(f"published, {series.name}: {points}; {series.source}")
    return lines


def _figures(each: Rating) -> list[str]:
    solved, problems = (sum(getattr(c, name) for c in each.contests) for name in ("num_solved", "num_problems"))
    se = "" if each.rating_se is None else f" ± {each.rating_se:.0f}"
    within = "" if each.percentile_interval is None else " ({:.1f}-{:.1f})".format(*each.percentile_interval)
    return [
        "–" if each.rating is None else f"{each.rating:.0f}{se}",
        "–" if each.percentile is None else f"{each.percentile:.1f}{within}",
        f"{solved}/{problems}",
        f"{len(each.contests)}/{len(each.contests) + len(each.contests_left_out)}",
    ]


def left_out(ratings: Sequence[Rating]) -> list[str]:
    """What does not count, and why: a line for each reason, over all settings.

    The problems of contests that are left out are only counted, for their contests are named.
    """
    contests = {str(number): why for each in ratings for number, why in each.contests_left_out.items()}
    problems = {problem: why for each in ratings for problem, why in each.problems_left_out.items()}
    lines = []
    for kind, found in (("contests", contests), ("problems", problems)):
        for why in dict.fromkeys(found.values()):
            names = [name for name in found if found[name] == why]
            named = "" if why == CONTEST_LEFT_OUT else f": {', '.join(names)}"
            lines.append(f"{kind} left out ({len(names)}), {why}{named}")
    return lines

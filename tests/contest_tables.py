"""Made-up contest tables, as the files that `read_contests` reads.

write_contest(folder, 1971, points=[500, 1000], rows=[(1500, 0), (500, 0)], ratings=[1900, 1400])
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def contest_table(
    number: int, points: Sequence[int | None], rows: Sequence[tuple[float, float]], ratings: Sequence[int]
) -> dict[str, Any]:
    """Problems A, B, ... worth so many points (`None` by the ICPC's rules), and participants, best first.

    Each participant has (points, penalty) and a rating before the contest.
    """
    problems = [
        {"contestId": number, "index": letter, "name": "x"} | ({} if worth is None else {"points": worth})
        for letter, worth in zip("ABCDEFGHIJ", points, strict=False)
    ]
    people = [f"user{n}" for n in range(len(rows))]
    return {
        "standings": {
            "problems": problems,
            "rows": [
                {"party": {"members": [{"handle": name}]}, "rank": n + 1, "points": row[0], "penalty": row[1]}
                for n, (name, row) in enumerate(zip(people, rows, strict=True))
            ],
        },
        "rating_changes": [
            {"handle": name, "oldRating": rating, "newRating": rating + 5}
            for name, rating in zip(people, ratings, strict=True)
        ],
    }


def write_contest(
    folder: Path,
    number: int,
    points: Sequence[int | None],
    rows: Sequence[tuple[float, float]],
    ratings: Sequence[int],
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number}.json"
    path.write_text(json.dumps(contest_table(number, points, rows, ratings)))
    return path

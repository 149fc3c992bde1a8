import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from contest_tables import write_contest
from elastic_reasoning.analysis.codeforces.contests import read_contests
from elastic_reasoning.analysis.codeforces.elo import rate
from elastic_reasoning.cli.main import main
from make_records import make_records, write_folder

CODES = ("1A", "1B", "2A", "9A")
RECORDS = [
    replace(record, problem=f"cf-{CODES[int(record.problem[-1])]}")
    for record in make_records(4, 2, budgets=("8+20", "24+20"), models=["mini"], strategies=["elastic"])
    if record.strategy == "elastic"
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "run", RECORDS)


@pytest.fixture
def contests(tmp_path: Path) -> Path:
    rows: list[tuple[float, float]] = [(1500, 0)] * 50 + [(500, 0)] * 150 + [(0, 0)] * 100
    ratings = [*range(2500, 1000, -5)]
    for number in (1, 2):
        write_contest(tmp_path / "contests", number, [500, 1000], rows, ratings)
    return tmp_path / "contests"


def test_a_rating_with_what_is_left_out(
    run: Path, contests: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["elo", str(run), "--contests", str(contests)]) == 0
    out = capsys.readouterr().out
    for rating in rate(RECORDS, read_contests(contests)):
        assert f"{rating.rating:.0f} ± {rating.rating_se:.0f}" in out
        assert f"{rating.percentile:.1f}" in out
    assert "2/3" in out
    assert "published, E1-Code-14B: 1457 (78.1%) at 1K+1K" in out
    assert "…" not in out
    assert "contests left out (1), no table: 9" in out
    assert "problems left out (1), their contest is left out\n" in out
    assert "so there is no rating" not in out


def test_without_tables_it_says_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["elo", str(run)]) == 0
    out = capsys.readouterr().out
    assert "contests left out (3), no table: 1, 2, 9" in out
    assert "problems left out (4), their contest is left out" in out
    assert "no contest could be used, so there is no rating: save contest.standings" in out


def test_json(run: Path, contests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["elo", str(run), "--contests", str(contests), "--attempts", "1", "--json"]) == 0
    expected = rate(RECORDS, read_contests(contests), num_attempts=1)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps([asdict(rating) for rating in expected]))


def test_what_cannot_be_rated_is_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.json").write_text("{}")
    for argv, message in (
        ([], "no folder of records"),
        ([str(run), "--contests", str(tmp_path / "none")], "pass a folder of contest tables"),
        ([str(run), "--contests", str(tmp_path / "bad")], "1.json: file.standings is missing"),
        ([str(run), "--attempts", "0"], "attempts 0: must be 1 or more"),
    ):
        assert main(["elo", *argv]) == 2
        error = capsys.readouterr().err
        assert error.startswith("elastic: error: ")
        assert error.count("\n") == 1
        assert message in error


def test_records_without_a_contest_are_not_rated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "arithmetic", make_records(num_problems=2, num_samples=1))
    for flags in ([], ["--json"]):
        assert main(["elo", str(folder), *flags]) == 2
        out, error = capsys.readouterr()
        assert (out, error.count("\n")) == ("", 1)
        assert "none of a contest: rate a run on codeforces" in error

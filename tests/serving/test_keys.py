"""Who may ask."""

import os
from pathlib import Path

import pytest

from elastic_reasoning.cli import serve
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.keys import ANYONE, CHECK_SECONDS, Key, Keys, entry, new_key, read_keys


def write(folder: Path, *entries: str) -> Path:
    path = folder / "keys.yaml"
    path.write_text("\n".join(["keys:", *entries, ""]))
    return path


@pytest.mark.parametrize(
    "header", [("authorization", "Bearer {}"), ("authorization", "bearer  {}"), ("x-api-key", "{}")]
)
def test_a_key_is_found_where_clients_send_it(tmp_path: Path, header: tuple[str, str]) -> None:
    one, other = new_key(), new_key()
    keys = Keys(write(tmp_path, entry("one", one), entry("other", other)))
    name, value = header
    assert keys.find({name: value.format(other)}).name == "other"
    with pytest.raises(ApiError, match="not known") as refusal:
        keys.find({name: value.format(other[:-1])})
    assert other[:-1] not in str(refusal.value)
    with pytest.raises(ApiError, match="no API key"):
        keys.find({})


def test_without_a_file_anyone_may_ask() -> None:
    assert Keys(None).find({"authorization": "Bearer whatever"}) is ANYONE


def test_a_changed_file_is_read_and_a_broken_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, other, now = new_key(), new_key(), [0.0]
    path = write(tmp_path, entry("one", one))
    keys = Keys(path, lambda: now[0])
    write(tmp_path, entry("other", other), "")
    with pytest.raises(ApiError):
        keys.find({"x-api-key": other})
    now[0] += CHECK_SECONDS
    assert keys.find({"x-api-key": other}).name == "other"
    for text in ("keys: [", None):
        path.write_text(text) if text else os.unlink(path)
        now[0] += CHECK_SECONDS
        assert keys.find({"x-api-key": other}).name == "other"
    assert "the keys stay as they were" in caplog.text
    assert other not in caplog.text


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (["  - name: a"], "sha256 must be 64"),
        (["  - {name: a, sha265: x}"], "did you mean 'sha256'"),
        ([entry("a", "k"), entry("b", "k")], "stands there twice"),
        ([entry("a", "k"), entry("a", "l")], "name a stands there twice"),
        ([entry("a", "k") + "\n    daily_limit: -1"], "must be 0 or more"),
        ([entry("a", "k") + "\n    ceiling: lots"], "write it as"),
        (["  []"], "holds no key"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, entries: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_keys(write(tmp_path, *entries))


def test_a_key_lowers_what_a_model_allows() -> None:
    model = ModelConfig(budget="100+50", ceiling="200+inf")
    policy = Key(name="a", sha256="0" * 64, ceiling="64+80").policy(model)
    assert (policy.default, policy.most) == (Budget(64, 50), Budget(64, 80))
    assert Key(name="a", sha256="0" * 64).policy(model) is model


def test_the_command_writes_a_file_that_knows_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["--new_key", "team: a"]) == 0
    file, told = capsys.readouterr()
    (tmp_path / "keys.yaml").write_text(file)
    assert Keys(tmp_path / "keys.yaml").find({"x-api-key": told.split()[-1]}).name == "team: a"

"""What the README shows works as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from readme import PAGES, filled

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(capsys):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code[1], "README.md", "exec"), {})
    thinking, hit, *solution = capsys.readouterr().out.split()
    assert int(thinking) <= 16
    assert hit in ("True", "False")
    assert solution


def test_every_command_of_the_readme_is_understood(tmp_path, monkeypatch, capsys):
    from elastic_reasoning.cli.main import main

    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^\.venv/bin/elastic (.*)$", README, re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        arguments = [a.strip('"') for a in re.findall(r'"[^"]*"|\S+', line)]
        if "Qwen/Qwen3-0.6B" in arguments or arguments[:2] == ["train", "--recipe"]:  # a hub, or takes long
            arguments += ["--print_config"]
            with pytest.raises(SystemExit) as exit_info:
                main(arguments)
            assert exit_info.value.code == 0
            continue
        if arguments[0] == "sweep":
            arguments[arguments.index("--limit") + 1] = "4"
        assert main(arguments) == 0, (line, capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_every_figure_is_what_the_benchmarks_wrote(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / path).exists(), path
    assert filled(text) == text


def test_the_tree_names_what_is_there():
    tree = README.split("## Layout")[1].split("```")[1]
    for name in re.findall(r"(\w+\.py)\b", tree):
        assert (ROOT / "src/elastic_reasoning" / name).exists(), name
    for folder in (p for p in (ROOT / "src/elastic_reasoning").iterdir() if p.is_dir() and p.name != "__pycache__"):
        assert f"{folder.name}/" in tree, folder.name


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(example):
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()

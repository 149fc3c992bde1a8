"""What the README shows works as it stands."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from readme import PAGES, filled

from client_pages import needs_curl
from live_server import LiveServer, running

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
        if arguments[0] == "serve":
            continue  # until it is told to end: see below
        if "Qwen/Qwen3-0.6B" in arguments or arguments[:2] == ["train", "--recipe"]:  # a hub, or takes long
            arguments += ["--print_config"]
            with pytest.raises(SystemExit) as exit_info:
                main(arguments)
            assert exit_info.value.code == 0
            continue
        if arguments[0] == "sweep":
            arguments[arguments.index("--limit") + 1] = "4"
        assert main(arguments) == 0, (line, capsys.readouterr().err)


def test_the_gateway_of_the_readme_answers_its_curl_line(tmp_path):
    needs_curl()
    (served,) = re.findall(r"^\.venv/bin/elastic (serve .*)\n(curl (?:.|\n)*?)```", README, re.MULTILINE)
    serve, curl = served
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", *shlex.split(serve), "--port", "{port}"]
    server = LiveServer(command, tmp_path / "log", {"OMP_NUM_THREADS": "1"})
    with running(server):
        line = curl.replace("localhost:8080", server.root)
        done = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True, timeout=120)
    answer = json.loads(done.stdout)
    assert answer["choices"][0]["message"]["content"]
    assert answer["elastic"]["thinking_tokens"] <= 16


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_every_figure_is_what_the_benchmarks_wrote(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / path).exists(), path
    assert filled(text) == text


def entries(tree: str, indent: str) -> list[tuple[str, str]]:
    """The names at that indent of the README's tree, in its order, each with what is said of it."""
    return re.findall(rf"^{indent}([\w/.]+?)/? +(\S.*)$", tree, re.MULTILINE)


def test_the_layout_is_the_tree():
    """Each folder of the repository and each room of the package has one line, and no line is about anything else."""
    tree = README.split("## Layout")[1].split("```")[1]
    (package,) = re.findall(r"^(src/\w+)/$", tree, re.MULTILINE)
    rooms = [path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").exists()]
    assert sorted(name for name, _ in entries(tree, "  ")) == sorted(rooms)
    named = [name for name, _ in entries(tree, "")]
    assert all((ROOT / name).exists() for name in named)
    tracked = [path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.*")) and path.name[0] != "."]
    assert set(tracked) - {*named, "src", "runs", "build", "dist"} == set()


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(example):
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()

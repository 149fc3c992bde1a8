"""What `fuzz_commands.py` gives to commands: uses that work, things that are damaged, values that are strange."""

import gzip
import http.server
import json
import random
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from contest_tables import write_contest
from elastic_reasoning.cli.main import main
from elastic_reasoning.cli.options import OptionParser
from elastic_reasoning.engines.names import model_path
from finished_runs import write_run

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
ROWS = [
    {"problem": "What is 2 + 3?", "answer": "5", "solution": r"\boxed{5}", "thinking": "2 + 3 = 5"},
    {"problem": "Which is prime? (A) 4 (B) 5", "answer": "B", "grader": "choice", "solution": r"\boxed{B}"},
    {"problem": "Who wrote Faust?", "answer": ["Goethe"], "grader": "text", "solution": "Goethe"},
]
TEXTS = [
    *["", " ", "0", "-1", "1e400", "nan", "inf", "-inf", "true", "null", "[]", "{}", "[", "{", "a: b", "&a [*a]", "~"],
    *["8+20", "8+", "+20", "8+20+3", "-8+20", "inf+inf", "²+³", "9" * 400, "1_000", "0x10", "1.5", "8 + 20", "8+2e1"],
    *["mini", "mini-e1", "minni", "a/b", "a/b/c", "../..", "/", "/dev/null", "/dev/zero", "/proc/self/mem", "."],
    *["mini/elastic/8+20", "mini>mini-e1", ">", "mini>", "elastic", "s1", "l1-exact", "arithmetic", "math", "aime24"],
    *[
        "\x1b]52;c;aGk=\x07",
        "\u202eabc",
        "\x9b31m",
        "数学",
        "\udcff",
        "a\nb",
        "a\tb",
        "'",
        '"',
        "`id`",
        "$(id)",
        "%s",
        "{0}",
    ],
    *["=cmd|'/c calc'!A0", "<script>", "[bold]x[/]", "[/]", "\\", "a" * 5000, "[1, 2, 3]", '{"a": 1}', "[[[[[[]]]]]]"],
    *["2024-13-45", "2024-01-01", "auto", "cuda", "cuda:99", "bfloat16", "float8", "vllm", "openai", "http://x", "cpu"],
    *["http://127.0.0.1:9/v1", "http://", "ftp://x", "http://[::1", "http://x:99999", "http://a:b@c", "-", "--", "@f"],
]
VALUES: list[Any] = [
    *[None, True, False, -1, 0, 1.5, 10**400, 1e308, "", "x", "\ud800", "\x00", [], [[]], {}, {"a": []}, [5], "8+20"],
    *[float("nan"), float("-inf"), "9" * 500, "\x1b]52;c;x\x07", "<script>", "=1+1"],
]


class _Hostile(http.server.BaseHTTPRequestHandler):
    """Answers anything, by the request's path and number."""

    def _answer(self) -> None:
        draw = random.Random(f"{self.path} {self.headers.get('Content-Length')}")
        with suppress(OSError, ValueError):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = draw.randrange(6)
        value = {"choices": [draw.choice(VALUES)], "data": draw.choice(VALUES), "tokens": draw.choice(VALUES)}
        body = {
            0: json.dumps(value),
            1: json.dumps({"data": [{"id": draw.choice(VALUES)}], "choices": [{"text": "x", "token_ids": [5]}]}),
            2: "[" * 100_000,
            3: "<html>",
            4: json.dumps({"error": {"message": "\x1b]52;c;x\x07\n" * 999}}),
            5: "",
        }[kind]
        with suppress(OSError):
            self.send_response(draw.choice([200, 200, 200, 400, 404, 429, 500, 302, 999]))
            self.send_header("Retry-After", draw.choice(["3600", "²", "9" * 400]))
            self.end_headers()
            self.wfile.write(body.encode("utf-8", "replace"))

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Materials:
    """Good things in a folder, and damaged copies of them; and a server that answers anything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.records = folder / "records"
        self.sweep = {"--models": "mini,mini-e1", "--budgets": "4+4,8+4", "--limit": "4", "--out": str(self.records)}
        flags = [f"{flag}={value}" for flag, value in {**self.sweep, "--report": "false"}.items()]
        with redirect_stdout(StringIO()):
            assert main(["sweep", *flags]) == 0
        self.run = write_run(folder / "run")
        self.rows = folder / "rows.jsonl"
        self.rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        self.taught = folder / "taught.jsonl"
        self.taught.write_text("".join(json.dumps({"thinking": "so", **row}) + "\n" for row in ROWS))
        self.packed = folder / "packed.jsonl.gz"
        self.packed.write_bytes(gzip.compress(self.rows.read_bytes()))
        self.recipe = folder / "recipe.yaml"
        self.recipe.write_text("models: [mini]\nbudgets: [4+4]\nlimit: 2\nsampling: {temperature: 0.5}\n")
        self.contests = write_contest(folder / "contests", 7, [500, 1000], [(1500, 0), (500, 0)], [1900, 1400]).parent
        self.model = folder / "model"
        shutil.copytree(model_path("mini"), self.model)
        self.good = [
            self.records,
            self.run,
            self.rows,
            self.taught,
            self.packed,
            self.recipe,
            self.contests,
            self.model,
        ]
        self.meant = {
            **{key: [self.records] for key in ("--records", "--run_a", "--run_b", "--out")},
            **{key: [self.rows, self.taught, self.packed] for key in ("--data", "--task", "--against")},
            **{key: [self.model] for key in ("--model", "--tokenizer")},
            "--recipe": [self.recipe],
            "--run": [self.run],
            "--contests": [self.contests],
        }
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def damaged(self, draw: random.Random, flag: str = "") -> Path:
        """A copy of what the flag is for, in which one file is damaged; sometimes another thing altogether."""
        kind = draw.randrange(12)
        if kind == 0:
            return draw.choice(self.good)
        if kind == 1:
            return Path(draw.choice(["/nowhere", "/dev/null", "/", "/proc/self/mem", str(self.folder), "\udcff", "~"]))
        copy = self.folder / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        meant = [
            each for name, each in self.meant.items() if flag == name or (flag.startswith(name) and name != "--run")
        ]
        good = draw.choice(meant[-1] if meant and draw.random() < 0.8 else self.good)
        path = copy / good.name
        shutil.copytree(good, path) if good.is_dir() else shutil.copy(good, path)
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        _damage(draw.choice(files), draw)
        return path


def _damage(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    kind = draw.choice(
        ["cut", "flip", "empty", "gone", "folder", "bytes", "deep", "json", "json", "json", "json", "line"]
    )
    if kind == "cut":
        path.write_bytes(content[: draw.randrange(len(content) + 1)])
    elif kind == "flip":
        place = draw.randrange(len(content) + 1)
        path.write_bytes(content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :])
    elif kind == "gone":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind in ("empty", "bytes", "deep"):
        made = {"empty": b"", "bytes": draw.randbytes(64), "deep": b"[" * 100_000}
        path.write_bytes(made[kind])
    elif kind == "line":
        lines = content.splitlines(keepends=True)
        lines.insert(
            draw.randrange(len(lines) + 1), draw.choice([b"\n", b"{}\n", b"[]\n", b"\xff\n", b"null\n", b"\x00\n"])
        )
        path.write_bytes(b"".join(lines))
    else:
        with suppress(ValueError):
            whole = json.loads(content)
            _change(whole, draw)
            path.write_text(json.dumps(whole))
            return
        with suppress(ValueError):
            lines = [json.loads(line) for line in content.splitlines()]
            _change(lines, draw)
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _change(value: Any, draw: random.Random) -> None:
    """Put something strange somewhere into lists and objects."""
    while value and isinstance(value, dict | list):
        key = draw.choice(sorted(value)) if isinstance(value, dict) else draw.randrange(len(value))
        inner = value[key]
        if inner and isinstance(inner, dict | list) and draw.random() < 0.8:
            value = inner
        else:
            if isinstance(value, dict) and draw.random() < 0.3:
                del value[key]
            else:
                value[key] = draw.choice(VALUES)
            return


def anything(draw: random.Random, materials: Materials) -> str:
    """A value for a flag."""
    kind = draw.randrange(10)
    if kind == 0:
        return str(materials.damaged(draw))
    if kind == 1:
        return "".join(chr(draw.choice([draw.randrange(1, 128), draw.randrange(1, 0x3000)])) for _ in range(8))
    return draw.choice(TEXTS)


Works = Callable[[Materials], dict[str, str]]


@dataclass(frozen=True)
class Command:
    """How a command is used.

    Attributes:
        fields: its options.
        works: flags and values that work, in a few ways.
        paths: flags that name something on the disk.
        keeps: flags that keep a use short, and are left alone.
    """

    fields: list[str]
    works: list[Works]
    paths: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()


def _fields(module: str, name: str) -> list[str]:
    return OptionParser(getattr(import_module(f"elastic_reasoning.cli.{module}"), name)(), None).names


SHORT = {"--models": "mini", "--budgets": "4+4", "--limit": "1", "--out": "out"}
TRAINING = {
    "--steps": "1",
    "--prompts_per_step": "2",
    "--samples_per_prompt": "2",
    "--num_validation_problems": "2",
    "--micro_batch_size": "4",
}
COMMANDS = {
    "generate": Command(
        _fields("generate", "GenerateConfig"),
        [
            lambda m: {QUESTION: "--json", "--model": "mini", "--budget": "4+4"},
            lambda m: {"--question": QUESTION, "--budget": "4+4"},
        ],
        ("--model", "--recipe"),
    ),
    "demo": Command(
        _fields("demo", "DemoConfig"), [lambda m: {"--limit": "1"}], ("--out", "--recipe"), ("--limit", "--train")
    ),
    "sweep": Command(
        _fields("sweep", "SweepCommand"),
        [
            lambda m: SHORT,
            lambda m: {"--recipe": str(m.recipe), "--out": "out", "--limit": "1"},
            lambda m: m.sweep,
            lambda m: SHORT | {"--task": str(m.rows), "--report": "false"},
            lambda m: SHORT | {"--engine": "openai", "--server.base_urls": m.url, "--server.retry_seconds": "1"},
        ],
        ("--models", "--recipe", "--data", "--task", "--out"),
        ("--limit", "--samples", "--server.retry_seconds", "--server.timeout_seconds"),
    ),
    "eval": Command(
        _fields("eval", "EvalCommand"),
        [lambda m: {"--model": "mini", "--budget": "4+4", "--limit": "1"}],
        ("--model", "--recipe", "--data", "--task", "--out"),
        ("--limit", "--samples", "--server.retry_seconds", "--server.timeout_seconds"),
    ),
    "grade": Command(
        _fields("grade", "GradeConfig"),
        [lambda m: {"--records": str(m.records), "--out": "out"}],
        ("--records", "--records", "--out", "--data", "--recipe"),
    ),
    "validate": Command(
        _fields("validate", "ValidateConfig"),
        [lambda m: {"--task": str(m.rows)}, lambda m: {"--task": "arithmetic"}],
        ("--task", "--data", "--against", "--against_data", "--recipe"),
    ),
    "report": Command(
        _fields("report", "ReportConfig"),
        [lambda m: {"--records": str(m.records), "--out": "out"}],
        ("--records", "--records", "--out", "--recipe"),
    ),
    "compare": Command(
        _fields("compare", "CompareConfig"),
        [lambda m: {"--run_a": str(m.records), "--a": "mini/elastic/4+4", "--b": "mini/elastic/8+4"}],
        ("--run_a", "--run_b", "--recipe"),
    ),
    "recommend": Command(
        _fields("recommend", "RecommendConfig"),
        [
            lambda m: {"--records": str(m.records), "--total": "12", "--model": "mini"},
            lambda m: {"--records": str(m.records), "--accuracy": "0.5", "--model": "mini"},
            lambda m: {"--records": str(m.records), "--save": "budgets.yaml"},
        ],
        ("--records", "--recipe"),
    ),
    "elo": Command(
        _fields("elo", "EloConfig"),
        [lambda m: {"--records": str(m.records), "--contests": str(m.contests)}],
        ("--records", "--contests", "--recipe"),
    ),
    "reasoning": Command(
        _fields("reasoning", "ReasoningConfig"), [lambda m: {"--records": str(m.records)}], ("--records", "--recipe")
    ),
    "lm_eval": Command(
        ["model_args", "tasks", "include_path", "limit", "output_path", "batch_size", "seed", "gen_kwargs"],
        [lambda m: {"--model_args": "pretrained=mini,budget=4+4", "--tasks": "no_such_task", "--limit": "1"}],
        ("--include_path", "--output_path"),
        ("--limit",),
    ),
    "warm-start": Command(
        _fields("warm_start", "WarmStartCommand"),
        [
            lambda m: {
                "--model": str(m.model),
                "--data": str(m.taught),
                "--out": "out",
                "--held_out_share": "0.4",
                "--steps": "1",
            }
        ],
        ("--model", "--data", "--out", "--recipe"),
        ("--steps", "--epochs"),
    ),
    "train": Command(
        _fields("train", "TrainCommand"),
        [
            lambda m: TRAINING | {"--dry_run": "true", "--out": "out"},
            lambda m: TRAINING | {"--dry_run": "true", "--out": str(m.run)},
        ],
        ("--model", "--data", "--out", "--recipe", "--task"),
        ("--steps", "--dry_run", *TRAINING),
    ),
    "export": Command(
        _fields("export", "ExportConfig"),
        [
            lambda m: {"--run": str(m.run), "--out": "out"},
            lambda m: {"--run": str(m.run), "--out": "out", "--records": str(m.records)},
        ],
        ("--run", "--run", "--records", "--out", "--recipe"),
        ("--upload",),
    ),
    "recipes": Command(["x"], [lambda m: {"aime24": ""}, lambda m: {}], ("--x",)),
    "doctor": Command(
        _fields("doctor", "DoctorConfig"),
        [lambda m: {"--url": m.url, "--tokenizer": "mini", "--model": "m", "--timeout_seconds": "2"}],
        ("--tokenizer", "--recipe"),
        ("--timeout_seconds",),
    ),
}

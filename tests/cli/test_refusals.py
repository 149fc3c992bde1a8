"""What is misspelt is refused before anything heavy is imported: each case in a process of its own."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "datasets", "lm_eval", "trl", "vllm", "matplotlib")
CODE = (
    "import sys\nfrom elastic_reasoning.cli.main import main\nstatus = main(sys.argv[1:])\n"
    f"print(status, [name for name in {HEAVY} if name in sys.modules])"
)
CASES = [
    (["generate", "a 4 b =", "--model", "minni"], "unknown model 'minni': did you mean 'mini'"),
    (["generate", "a 4 b =", "--model", "/none"], "unknown model '/none'"),
    (["generate", "a 4 b =", "--dtype", "int8"], "dtype 'int8': must be one of"),
    (["generate", "a 4 b =", "--device", "cud"], "device 'cud' cannot be used"),
    (["generate", "a 4 b =", "--budget", "24"], "budget '24'"),
    (["generate", "a 4 b =", "--strategy", "elastc"], "unknown strategy 'elastc': did you mean 'elastic'"),
    (["generate", "a 4 b =", "--strategy", "l1-exact", "--budget", "inf+4"], "l1 asks for a length"),
    (["generate", "a 4 b =", "--opening", "<think>"], "both delimiters must be given"),
    (["generate", "a 4 b =", "--recipe", "none.yaml"], "none.yaml"),
    (["sweep", "--models", "mini,minni"], "unknown model 'minni'"),
    (["sweep", "--models", "mini>minni", "--strategies", "elastic"], "unknown model 'minni'"),
    (["sweep", "--dtype", "fp32"], "dtype 'fp32'"),
    (["sweep", "--max_rows", "0"], "max_rows 0"),
    (["sweep", "--task", "aritmetic"], "unknown task 'aritmetic': did you mean 'arithmetic'"),
    (["sweep", "--task", "none.jsonl"], "cannot read none.jsonl"),
    (["sweep", "--split", "tst"], "unknown split 'tst'"),
    (["sweep", "--engine", "vlm"], "unknown engine 'vlm': did you mean 'vllm'"),
    (["sweep", "--server.dialect", "lama"], "unknown dialect 'lama'"),
    (["eval", "--model", "minni"], "unknown model 'minni'"),
    (["eval", "--budget", "24+"], "budget '24+'"),
    (["train", "--model", "minni"], "unknown model 'minni'"),
    (["train", "--task", "aritmetic"], "unknown task 'aritmetic'"),
    (["train", "--task", "none.jsonl"], "cannot read none.jsonl"),
    (["train", "--dry-run", "--dtype", "int8"], "unknown dtype 'int8'"),
    (["warm-start", "--model", "minni", "--data", __file__], "unknown model 'minni'"),
    (["warm-start", "--model", "mini", "--data", "none.jsonl"], "cannot read none.jsonl"),
    (["warm-start", "--model", "mini", "--data", __file__, "--device", "gpu"], "unknown device 'gpu'"),
    (["grade", "none"], "none has no manifest.json"),
    (["report", "none"], "none has no manifest.json"),
    (["compare", "none", "none"], "none has no manifest.json"),
    (["recommend", "none", "--total", "44"], "none has no manifest.json"),
    (["reasoning", "none"], "none has no manifest.json"),
    (["elo", "none"], "none has no manifest.json"),
    (["export", "none", "--out", "model"], "none has no model"),
    (["validate", "aime"], "unknown task 'aime'"),
    (["doctor", "http://127.0.0.1:9/v1", "--tokenizer", "minni"], "unknown model 'minni'"),
    (["doctor", "http://127.0.0.1:9/v1", "--dialect", "vlm"], "unknown dialect 'vlm': did you mean 'vllm'"),
    (["lm-eval", "--model_args", "pretrained=minni,budget=8+4", "--tasks", "gsm8k"], "unknown model 'minni'"),
    (["lm-eval", "--model_args", "pretrained=mini,budget=8", "--tasks", "gsm8k"], "budget '8'"),
    (["lm-eval", "run", "--model_args", '{"pretrained": "mini"}', "--tasks", "gsm8k"], "no budget"),
    (["lm-eval", "-a", "pretrained=mini,budget=8+4", "dtype=int8", "-t", "gsm8k"], "dtype 'int8'"),
    (["lm-eval", "-a", "pretrained=mini,budget=8+4,strategy=els", "-t", "gsm8k"], "unknown strategy 'els'"),
    (["lm-eval", "-a", "pretrained=mini,budget=8+4", "-t", "gsm9k"], "unknown task 'gsm9k': did you mean 'gsm8k'"),
    (["doctor", "127.0.0.1:9"], "base URL '127.0.0.1:9'"),
]


@pytest.mark.parametrize(("argv", "message"), CASES, ids=[" ".join(argv)[:60] for argv, _ in CASES])
def test_a_misspelt_name_does_not_wait_for_torch(argv: list[str], message: str) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, *argv], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["2 []"], done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1

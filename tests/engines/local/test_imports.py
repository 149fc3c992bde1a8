"""What the first import of transformers brings with it: in processes of their own."""

import subprocess
import sys

import pytest

SHOW = (
    "from elastic_reasoning.engines.local.imports import import_transformers\n"
    "import gc, sys\nimport_transformers()\n"
    "import transformers\nassert transformers.AutoModelForCausalLM.from_pretrained\n"
    "print(gc.isenabled(), [name for name in ('sklearn', 'scipy') if name in sys.modules])"
)


BY_ITSELF = (
    "import sys, torch, transformers.models.auto.tokenization_auto, transformers.models.auto.modeling_auto\n"
    "print([name for name in ('sklearn', 'scipy') if name in sys.modules])"
)
"""What transformers brings without us; newer ones bring neither."""


@pytest.mark.parametrize("before", ["", "import elastic_reasoning.cli\n"])
def test_packages_are_hidden_while_a_command_imports_and_found_afterwards(before: str) -> None:
    pytest.importorskip("sklearn")
    after = "\nimport sklearn.metrics, scipy.optimize\nprint(sklearn.metrics.roc_curve.__name__)"
    done = subprocess.run([sys.executable, "-c", before + SHOW + after], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, found = done.stdout.splitlines()
    assert found == "roc_curve"
    by_itself = subprocess.run(
        [sys.executable, "-c", BY_ITSELF], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert told == f"True {[] if before else by_itself}"


def test_a_collector_that_was_off_stays_off() -> None:
    code = f"import gc\ngc.disable()\n{SHOW}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("False"), done.stderr

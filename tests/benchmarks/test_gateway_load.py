import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gateway_load.py"


@pytest.mark.full
def test_a_small_load_goes_through_the_gateway_and_past_it() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--quick"], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "50 streams: a token is " in done.stdout
    assert "200 requests: " in done.stdout

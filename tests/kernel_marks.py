"""Where a test of a kernel runs: in Triton's interpreter on a CPU, or on a GPU."""

import os
from importlib.util import find_spec

import pytest
import torch

INTERPRETED = (
    pytest.mark.skipif(
        os.environ.get("TRITON_INTERPRET") != "1" or find_spec("triton") is None,
        reason="needs pip install triton==3.6.0, and TRITON_INTERPRET=1 to run it on a CPU",
    ),
    pytest.mark.filterwarnings("ignore:Conversion of an array with ndim:DeprecationWarning"),  # of the interpreter
)
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
ON_GPU = (pytest.mark.gpu, NEEDS_GPU)
DEVICES = [pytest.param("cpu", marks=INTERPRETED), pytest.param("cuda", marks=ON_GPU)]

"""llama.cpp and SGLang as servers of this machine, on a free port."""

import sys
from collections.abc import Callable
from pathlib import Path

from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import model_path
from elastic_reasoning.miniature.to_gguf import write_gguf
from live_server import LiveServer

HERE = Path(__file__).parent
NUM_SLOTS = 8
THREADS = {"OMP_NUM_THREADS": "1"}
RETRACTS = {"SGLANG_TEST_RETRACT": "1", "SGLANG_TEST_RETRACT_INTERVAL": "20"}
"""SGLang retracts sequences every so many steps, as it does where its cache is full."""
AHEAD = (
    "--reasoning-parser=qwen3",
    "--max-running-requests=32",
    "--max-total-tokens=1024",
    "--chunked-prefill-size=32",
)
"""SGLang schedules ahead, prefills prompts in chunks, and has little cache."""
IN_STEP = (*AHEAD, "--disable-overlap-schedule")
"""The same, where each step waits for the one before."""


class Served(LiveServer):
    """A server of one model.

    Attributes:
        model: what the server calls it.
        tokenizer: what this project calls its tokenizer.
    """

    model: str
    tokenizer: str

    def engine(self, opening: str | None = None, closing: str | None = None, **settings: object) -> OpenAIEngine:
        """Our engine on it, with these delimiters and settings of its connection."""
        server = ServerConfig((self.url,), **{"tokenizer": self.tokenizer, **settings})
        return OpenAIEngine(server, opening=opening, closing=closing)


class LlamaCpp(Served):
    """A llama.cpp server of a GGUF file, or of a shipped model, which is written as one."""

    def __init__(self, model: str, folder: Path, *arguments: str) -> None:
        self.tokenizer, path = model, Path(model)
        if path.suffix != ".gguf":
            path = folder / f"{model}.gguf"
            write_gguf(model, path)
        self.model = str(path)
        command = [sys.executable, str(HERE / "llama_cpp.py"), self.model, "{port}", f"--slots={NUM_SLOTS}"]
        super().__init__([*command, *arguments], folder / "log", THREADS)


class SGLang(Served):
    """An SGLang server on a CPU, with our plug-in, which it finds by itself; its start takes minutes."""

    def __init__(self, model: str, folder: Path, *arguments: str) -> None:
        self.tokenizer, self.model = model, model_path(model)
        command = [sys.executable, "-m", "sglang.launch_server", f"--model-path={self.model}", "--host=127.0.0.1"]
        command += ["--port={port}", "--device=cpu", "--attention-backend=torch_native", "--dtype=float32"]
        command += ["--mem-fraction-static=0.3", "--max-total-tokens=8192", f"--max-running-requests={NUM_SLOTS}"]
        command += ["--disable-cuda-graph", "--enable-custom-logit-processor", "--skip-server-warmup"]
        environment = {"SGLANG_USE_CPU_ENGINE": "1", "PYTHONPATH": str(HERE / "sglang_stubs"), "HF_HUB_OFFLINE": "1"}
        super().__init__([*command, *arguments], folder / "log", {**THREADS, **environment, **RETRACTS})


KINDS: dict[str, type[LlamaCpp | SGLang]] = {"llama.cpp": LlamaCpp, "sglang": SGLang}
MODULES = {"llama.cpp": "xllamacpp", "sglang": "sglang"}
MARKS = {"llama.cpp": "servers", "sglang": "sglang"}

Start = Callable[..., Served]
"""(model by name, arguments) to a server that tests share."""

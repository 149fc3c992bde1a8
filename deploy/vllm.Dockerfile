# vLLM with the plug-in that keeps both budgets in one pass. Built from the root of this repository:
#   docker build -f deploy/vllm.Dockerfile -t elastic-vllm .
ARG VLLM_VERSION=v0.32.0
FROM vllm/vllm-openai:${VLLM_VERSION}
WORKDIR /build
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY recipes recipes
COPY src src
# What the plug-in needs beside vLLM's own packages; those stay as they are.
RUN grep -E '^(jsonargparse|docstring_parser|msgspec)==' constraints.txt > needed.txt \
    && pip install --no-cache-dir -r needed.txt && pip install --no-cache-dir --no-deps .

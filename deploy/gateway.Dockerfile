# The gateway, for models that run elsewhere. Built from the root of this repository:
#   docker build -f deploy/gateway.Dockerfile -t elastic-gateway .
# TORCH_INDEX may name a package index with builds of PyTorch for processors, which makes the image gigabytes smaller.
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=""
WORKDIR /build
RUN python -m venv /venv
COPY constraints.txt ./
RUN /venv/bin/pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY recipes recipes
COPY src src
RUN /venv/bin/pip install --no-cache-dir -c constraints.txt '.[gateway]'

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home --home-dir /home/elastic elastic \
    && install -d -o elastic -g elastic /var/lib/elastic
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HOME=/var/lib/elastic/models
USER 10001
VOLUME /var/lib/elastic
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/ready', timeout=4)"]
ENTRYPOINT ["elastic", "serve"]
CMD ["--file", "/etc/elastic/gateway.yaml"]

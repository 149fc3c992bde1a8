"""What is deployed is what the gateway reads; `make lint-deploy` checks the rest."""

from pathlib import Path

import yaml

from elastic_reasoning.serving.config import make_config

DEPLOY = Path(__file__).parent.parent / "deploy"


def test_the_gateway_reads_its_files() -> None:
    composed = (DEPLOY / "gateway.yaml").read_text(encoding="utf-8")
    parts = yaml.safe_load_all((DEPLOY / "kubernetes" / "gateway.yaml").read_text(encoding="utf-8"))
    mapped = next(part for part in parts if part["kind"] == "ConfigMap")["data"]["gateway.yaml"]
    for text in (composed, mapped):
        config = make_config(yaml.safe_load(text))
        assert config.keys
        assert config.state == "/var/lib/elastic"


def test_streams_may_end_before_the_container_is_killed() -> None:
    drain_seconds = make_config({"models": {"mini": {}}}).drain_seconds
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert int(compose["services"]["gateway"]["stop_grace_period"].removesuffix("s")) > drain_seconds
    parts = yaml.safe_load_all((DEPLOY / "kubernetes" / "gateway.yaml").read_text(encoding="utf-8"))
    deployment = next(part for part in parts if part["kind"] == "Deployment")
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > drain_seconds

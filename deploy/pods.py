"""The pod templates of KubeRay's files as pods, for what checks those.

python deploy/pods.py recipes/cluster/rayjob.yaml recipes/cluster/raycluster.yaml
"""

import sys
from pathlib import Path
from typing import Any

import yaml


def pods_of(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """A pod for the head and for each group of workers of a RayJob or a RayCluster."""
    cluster = resource["spec"].get("rayClusterSpec", resource["spec"])
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{resource['metadata']['name']}-{group.get('groupName', 'head')}"},
            "spec": group["template"]["spec"],
        }
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
    ]


if __name__ == "__main__":
    for path in sys.argv[1:]:
        print(yaml.safe_dump_all(pods_of(yaml.safe_load(Path(path).read_text(encoding="utf-8")))), end="---\n")

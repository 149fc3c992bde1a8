"""What inspect_ai finds here by its entry point: the provider `elastic`, and every task of the package by its name.

    inspect eval elastic_reasoning/arithmetic --model elastic/mini-e1 -M budget=24+20

It is imported whenever inspect_ai looks for a model or a task, whosoever that is: nothing heavy is loaded here.
"""

from inspect_ai.model import ModelAPI, modelapi

from elastic_reasoning.integrations.inspect_ai.tasks import register_tasks


@modelapi(name="elastic")  # type: ignore[untyped-decorator]
def elastic() -> type[ModelAPI]:
    """The provider, imported when a model of it is asked for."""
    from elastic_reasoning.integrations.inspect_ai.provider import ElasticAPI

    return ElasticAPI


register_tasks()

"""Which ids end a sequence, by the files of a model: one rule for every engine.

    end_ids({"eos_token_id": [151645, 151643]})                                # (151645, 151643)
    end_ids(None, {"text_config": {"eos_token_id": [1, 106]}})                 # (1, 106)

The generation configuration says it; where there is none, or it is silent, the model's configuration does, or the part
of it for text. So do transformers (`GenerationConfig.from_model_config`) and vLLM (`try_get_generation_config`). The
tokenizer's end of sequence is one in any case, to which `elastic_reasoning.core.template.resolve_template` sees.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from elastic_reasoning.core.errors import TemplateError

TEXT_PARTS = ("text_config", "decoder", "generator")


def end_ids(generation_config: Any, config: Any = None) -> tuple[int, ...]:
    """The ids that end a sequence, without the tokenizer's.

    Args:
        generation_config: an object or a mapping with `eos_token_id`; `None` where there is none.
        config: the model's, likewise.

    Raises:
        TemplateError: what is said is no id.
    """
    text = next((part for name in TEXT_PARTS if (part := _get(config, name)) is not None), None)
    for source in (generation_config, config, text):
        if (found := _get(source, "eos_token_id")) is not None:
            return _ids(found)
    return ()


def _get(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def _ids(found: Any) -> tuple[int, ...]:
    """One id or several; a negative one stands for none."""
    values = found if isinstance(found, Iterable) and not isinstance(found, str) else [found]
    ids = []
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TemplateError(f"eos_token_id {str(found)[:80]!r}: must be an id, or a list of them")
        ids.append(value)
    return tuple(dict.fromkeys(token for token in ids if token >= 0))

"""What a model's files say beside its weights and its tokenizer: a processor's chat template, ends of sequence."""

from contextlib import suppress
from typing import Any

from elastic_reasoning.core.ends import end_ids
from elastic_reasoning.engines.gguf import find_gguf_ends, is_gguf


def find_chat_template(path: str, **where: Any) -> str | dict[str, str] | None:
    """The chat template of a model's processor, for a tokenizer that has none; `None` where that has none either.

    It may stand in chat_template.json, chat_template.jinja or processor_config.json.

    Args:
        path: a folder or a hub name; or a GGUF file, whose tokenizer has it if the file does.
        where: what transformers is told of where to look, as `local_files_only`.
    """
    if is_gguf(path):
        return None
    import transformers

    try:
        found = transformers.ProcessorMixin.get_processor_dict(path, **where)[0].get("chat_template")
    except (
        OSError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        RecursionError,
    ):  # no processor, or none that can be read
        return None
    return found or None


def find_end_ids(path: str, **where: Any) -> tuple[int, ...]:
    """The ids that end a sequence by a model's generation_config.json, by its config.json, or by its GGUF file.

    Arguments as above.

    Raises:
        TemplateError: what they say is no id.
    """
    if is_gguf(path):
        return find_gguf_ends(path)
    import transformers

    generation = config = None
    # There is none, or none that can be read, which transformers passes over too.
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        generation = transformers.GenerationConfig.from_pretrained(path, **where)
    if not (found := end_ids(generation)):
        with suppress(OSError, ValueError, RecursionError):
            config, _ = transformers.PretrainedConfig.get_config_dict(path, **where)
        found = end_ids(None, config)
    return found

"""The miniature with a chat template that closes thinking unless it is asked to think, as DeepSeek-V3.1's does.

path = write_hybrid(tmp_path / "hybrid")
load(str(path), chat_template_kwargs={"thinking": True})
"""

import shutil
from pathlib import Path

from elastic_reasoning.engines.names import model_path

CHAT = (
    "{%- if not thinking is defined -%}{%- set thinking = false -%}{%- endif -%}"
    "{%- for message in messages -%}{{ '<' + message['role'] + '> ' + message['content'] + ' ' }}"
    "{%- if message['role'] == 'assistant' -%}{{ '<eos> ' }}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<assistant> <think>' }}"
    "{%- if not thinking -%}{{ ' </think>' }}{%- endif -%}{%- endif -%}"
)


def write_hybrid(folder: Path, chat: str = CHAT) -> Path:
    """A folder with the weights of `mini-e1` and that chat template."""
    shutil.copytree(model_path("mini-e1"), folder)
    (folder / "chat_template.jinja").write_text(chat, encoding="utf-8")
    return folder

"""What a warm start of the miniature begins with: a model that cannot mark its thinking, and rows that do.

    python -m elastic_reasoning.miniature.no_think_model runs/no-think      # model/ and rows.jsonl, in seconds

The model is the shipped base without its delimiters: it computes as the base does, but has no tokens that begin or end
thinking, and its chat template opens none. The rows are those of the warm-up's corpus, without those that ask for a
length or show what S1 forces. Some thoughts break off, and their solutions go on from there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from elastic_reasoning.engines.loading import load_weights
from elastic_reasoning.miniature.model import build_model
from elastic_reasoning.miniature.thoughts import examples
from elastic_reasoning.miniature.tokenizer import CLOSING, EOS, OPENING, PAD, UNKNOWN, build_tokenizer
from elastic_reasoning.training.sft.rows import write_rows

NUM_ROWS = 8000


def write_no_think_model(folder: Path, num_rows: int = NUM_ROWS, seed: int = 0) -> tuple[Path, Path]:
    """Write the model and the rows.

    Args:
        folder: where to; it is made where it does not exist.
        num_rows: rows of problem, thinking and solution.
        seed: of the rows.

    Returns:
        The model's folder and the file of rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_no_think_tokenizer()
    build_no_think_model(tokenizer).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder / "model", write_rows(folder / "rows.jsonl", rows(seed), num_rows)


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """An endless stream of rows over training problems, the same for the same seed."""
    for example in examples(seed):
        end = example.words.index(CLOSING)
        thinking, solution = example.words[:end], example.words[end + 1 : -1]
        forced = [word for word, trained in zip(example.words, example.trained, strict=True) if not trained]
        if thinking and forced in ([], [CLOSING]) and not example.length_request:
            yield {
                "problem": example.chain.text,
                "thinking": " ".join(thinking),
                "solution": " ".join(solution),
                "finished": not forced,
            }


def build_no_think_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """The shipped base, with the embeddings of this tokenizer's words alone."""
    model = build_model(tokenizer, seed=0)
    kept = build_tokenizer().convert_tokens_to_ids(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    state = load_weights("mini", "float32").state_dict()
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        state[name] = state[name][kept]
    model.load_state_dict(state)
    return model


def build_no_think_tokenizer() -> PreTrainedTokenizerFast:
    """The miniature's tokenizer without thinking delimiters, and a chat template that opens no thinking."""
    taught = build_tokenizer()
    state = json.loads(taught.backend_tokenizer.to_str())
    kept = [word for word in state["model"]["vocab"] if word not in (OPENING, CLOSING)]
    state["model"]["vocab"] = {word: index for index, word in enumerate(kept)}
    added = [token for token in state["added_tokens"] if token["content"] in kept]
    state["added_tokens"] = [{**token, "id": kept.index(token["content"])} for token in added]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)),
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        model_max_length=taught.model_max_length,
        padding_side="left",
    )
    tokenizer.chat_template = taught.chat_template.replace(f" {OPENING}", " ")
    return tokenizer


def main() -> None:
    """Write both from the command line."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m elastic_reasoning.miniature.no_think_model", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the model and the rows")
    parser.add_argument("--rows", type=int, default=NUM_ROWS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model, data = write_no_think_model(arguments.out, arguments.rows, arguments.seed)
    print(f"model: {model}\nrows:  {data}")


if __name__ == "__main__":
    main()

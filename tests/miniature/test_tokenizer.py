from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from elastic_reasoning.miniature.tokenizer import CLOSING, EOS, OPENING, VOCABULARY, build_tokenizer
from elastic_reasoning.tasks.arithmetic import Arithmetic


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def prompt(tokenizer: PreTrainedTokenizerFast, content: str) -> str:
    messages = [{"role": "user", "content": content}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def test_the_generation_prompt_opens_thinking(tokenizer: PreTrainedTokenizerFast) -> None:
    text = prompt(tokenizer, "a 4 b -8 =")
    assert text == "<user> a 4 b -8 = <assistant> <think>"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_an_earlier_turn_is_kept_and_ended(tokenizer: PreTrainedTokenizerFast) -> None:
    messages = [
        {"role": "user", "content": "a 4 b -8 ="},
        {"role": "assistant", "content": "answer 6"},
        {"role": "user", "content": "a 1 b *3 ="},
    ]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == ("<user> a 4 b -8 = <assistant> answer 6 <eos> <user> a 1 b *3 = <assistant> <think>")


@pytest.mark.parametrize(
    "text",
    [
        "<think> hmm b 4 -8 = 6 c 6 +7 = 3 wait check 6 +7 = 3 ok so 3 </think> answer 3 <eos>",
        "so 3 Wait again b -8 = 6 so 6",
        "Think for 44 tokens.",
        "Think for maximum 144 tokens.",
        "Final Answer: 3",
        "7",
        "+7",
        "44",
    ],
)
def test_text_comes_back_from_its_ids(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_the_text_forced_by_s1_is_two_known_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer.encode("\nFinal Answer:", add_special_tokens=False)
    assert tokenizer.convert_ids_to_tokens(ids) == ["Final", "Answer:"]


def test_every_problem_is_known_words(tokenizer: PreTrainedTokenizerFast) -> None:
    for problem in Arithmetic().problems("test", 100):
        text = prompt(tokenizer, problem.messages[0]["content"])
        ids = tokenizer.encode(text)
        assert tokenizer.unk_token_id not in ids
        assert len(ids) == len(text.split())


def test_unknown_words_do_not_fail(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.encode("hello") == [tokenizer.unk_token_id]


def test_a_delimiter_is_one_special_token(tokenizer: PreTrainedTokenizerFast) -> None:
    for text in (OPENING, CLOSING, EOS):
        (index,) = tokenizer.encode(text)
        assert tokenizer.added_tokens_decoder[index].special
    assert tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids(EOS)


def test_a_saved_tokenizer_is_the_same(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = prompt(tokenizer, "a 4 b -8 = Think for 44 tokens.")
    assert prompt(loaded, "a 4 b -8 = Think for 44 tokens.") == text
    assert loaded.encode(text) == tokenizer.encode(text)
    assert len(loaded) == len(tokenizer) == len(VOCABULARY)

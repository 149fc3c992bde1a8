from elastic_reasoning.engines.loading import load_tokenizer
from elastic_reasoning.engines.unknown_words import unknown_note, unknown_words


def test_words_that_the_tokenizer_does_not_know_are_found_as_they_stand() -> None:
    mini = load_tokenizer("mini")
    assert unknown_words(mini, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =") == []
    assert unknown_words(mini, "a 4 plus b -8 =") == ["plus"]
    assert unknown_words(mini, "How many primes?") == ["How", "many", "primes?"]
    assert unknown_words(mini, "") == []


def test_a_tokenizer_without_a_token_for_the_unknown_knows_all() -> None:
    class OfBytes:
        unk_token_id = None
        is_fast = True

    assert unknown_words(OfBytes(), "anything") == []
    assert unknown_words(None, "anything") == []


def test_the_note_says_what_a_shipped_model_can_do() -> None:
    assert unknown_note("mini", []) == ""
    told = unknown_note("mini-e1", ["How", "many", "primes", "are", "there?"])
    assert told.startswith("mini-e1 cannot read 5 words of the question (How, many, primes, are, ...), which its tok")
    assert told.endswith(
        'it was taught chains of digits such as "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", and nothing else'
    )
    assert unknown_note("owner/name", ["Wie"]) == (
        "owner/name cannot read 1 word of the question (Wie), which its tokenizer does not know"
    )

import pytest

from elastic_reasoning.report.names import compact, compact_budget, short_names


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (0, "0"),
        (512, "512"),
        (999.6, "1000"),
        (1000, "1K"),
        (1024, "1K"),
        (1792, "1.75K"),
        (6825, "6.8K"),
        (32768, "32K"),
    ],
)
def test_a_number_of_tokens_is_short(tokens: float, text: str) -> None:
    assert compact(tokens) == text


def test_a_budget_is_short() -> None:
    assert compact_budget("3072+inf") == "3K+∞"


def test_a_model_is_named_by_its_last_part_unless_two_share_it() -> None:
    assert short_names(["org/a", "runs/b", "a", "c"]) == {"org/a": "org/a", "runs/b": "b", "a": "a", "c": "c"}
    assert short_names(["org/a>runs/b"]) == {"org/a>runs/b": "a>b"}  # one thinks, the other solves

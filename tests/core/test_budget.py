import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError

PARTS = st.none() | st.integers(0, 10**9)


@given(PARTS, PARTS)
def test_a_budget_reads_back_from_what_it_prints(thinking: int | None, solution: int | None) -> None:
    budget = Budget(thinking, solution)
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("1024+512", Budget(1024, 512)),
        (" 0 + 0 ", Budget(0, 0)),
        ("inf+512", Budget(None, 512)),
        ("7+None", Budget(7, None)),
        ("unlimited+INF", Budget(None, None)),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "1024", "1+2+3", "a+b", "1.5+2", "1+", "1 024+5", "nan+1"])
def test_what_cannot_be_read_is_named_with_an_example(text: str) -> None:
    with pytest.raises(BudgetError) as caught:
        Budget.parse(text)
    assert repr(text) in str(caught.value)
    assert "1024+512" in str(caught.value)


def test_a_negative_part_is_named_with_its_value() -> None:
    with pytest.raises(BudgetError, match="thinking budget -1: must be 0 or more"):
        Budget.parse("-1+5")
    with pytest.raises(BudgetError, match="solution budget -7: must be 0 or more"):
        Budget(0, -7)


@pytest.mark.parametrize("part", [1.0, "5", True, float("inf")])
def test_only_whole_numbers_are_tokens(part: object) -> None:
    with pytest.raises(BudgetError, match="whole number of tokens"):
        Budget(part, 1)


def test_the_total_is_unlimited_where_one_part_is() -> None:
    assert Budget(3, 4).total == 7
    assert Budget(None, 4).total is None
    assert Budget(3, None).total is None


def test_a_budget_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Budget(1, 2).thinking = 3  # type: ignore[misc]


def test_a_pair_of_numbers_is_a_budget() -> None:
    assert Budget.parse((24, 20)) == Budget.parse([24, 20]) == Budget.parse(Budget(24, 20)) == Budget(24, 20)
    assert Budget.parse((None, 20)) == Budget(None, 20)
    for wrong in (44, 4.5, None, (24,), (1, 2, 3), {"thinking": 24}):
        with pytest.raises(BudgetError, match=r"write it as Budget\(1024, 512\), \(1024, 512\) or '1024\+512'"):
            Budget.parse(wrong)
    with pytest.raises(BudgetError, match="thinking budget -1"):
        Budget.parse((-1, 20))
    with pytest.raises(BudgetError, match="solution budget '20'"):
        Budget.parse((24, "20"))

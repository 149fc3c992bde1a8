import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.setting import Setting, chosen
from elastic_reasoning.core.strategies import STRATEGIES

SETTINGS = [
    Setting.of(model, strategy, budget)
    for model in ("mini", "Qwen/Qwen3-0.6B", "a>b")
    for strategy in ("elastic", "s1")
    for budget in ("8+20", "inf+4")
]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip("/") != ""),
    st.sampled_from([*STRATEGIES]),
    st.sampled_from(["8+20", "inf+inf", "0+1", "1024+512"]),
)
def test_what_is_spelled_is_read(model: str, strategy: str, budget: str) -> None:
    setting = Setting.of(model, strategy, budget)
    assert Setting.parse(str(setting)) == setting
    assert str(setting) == f"{model}/{strategy}/{budget}"


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]+", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"])) | st.integers()
    )
)
def test_options_are_part_of_it_where_they_are_given(given) -> None:
    setting = Setting("Qwen/Qwen3-0.6B", "s1", Budget(24, None), Options(given))
    assert Setting.parse(str(setting)) == setting
    assert str(Setting("mini", "s1", Budget(24, 20), Options(num_waits=1))) == "mini/s1/24+20/num_waits=1"


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("mini elastic 24+20", "mini/elastic/24+20"),
        ("Qwen/Qwen3-0.6B  elastic  24+20", "Qwen/Qwen3-0.6B/elastic/24+20"),
        ("mini, elastic, 24+20", "mini/elastic/24+20"),
        ("mini/elastic", "MODEL/STRATEGY/BUDGET, as mini/elastic/24+20"),
        ("elastic/24+20", "MODEL/STRATEGY/BUDGET, as mini/elastic/24+20"),
        ("", "MODEL/STRATEGY/BUDGET, as mini/elastic/24+20"),
        ("mini/elastic/many", "MODEL/STRATEGY/BUDGET, as mini/elastic/24+20"),
    ],
)
def test_another_spelling_is_refused_with_the_right_one(text: str, spelled: str) -> None:
    with pytest.raises(UsageError) as caught:
        Setting.parse(text)
    assert str(caught.value) == f"setting {text!r}: write it as {spelled}"


@pytest.mark.parametrize(
    ("names", "num"),
    [
        ([], 12),
        (["mini"], 4),
        (["Qwen/Qwen3-0.6B/s1"], 2),
        (["Qwen3-0.6B"], 4),
        (["elastic/8+20"], 3),
        (["a>b/elastic/8+20", "a>b"], 4),
        (["8+20", "inf+4"], 12),
    ],
)
def test_a_part_of_a_name_means_all_that_have_it(names: list[str], num: int) -> None:
    found = chosen(SETTINGS, names, "--a")
    assert len(found) == len(set(found)) == num
    assert all(any(f"/{name}/" in f"/{setting}/" for name in names) for setting in found) or not names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mini s1 8+20", "--a 'mini s1 8+20': write it as mini/s1/8+20"),
        ("mini s1", "--a 'mini s1': write it as mini/s1"),
        ("min", "--a 'min': no such setting; there are mini/elastic/8+20, mini/elastic/inf+4, "),
        ("", "--a '': no such setting"),
    ],
)
def test_a_name_that_means_none_is_an_error(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(SETTINGS, [name], "--a")
    assert str(caught.value).startswith(message)

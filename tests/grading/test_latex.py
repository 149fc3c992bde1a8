import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.grading.latex import Tree, read
from elastic_reasoning.grading.units import without_unit


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (r"15\mbox{ cm}^2", ("unit", "cm", "15")),
        (r"15\,\mathrm{centimeters}", ("unit", "cm", "15")),
        (r"\$32,\!348", ("unit", "dollar", "32348")),
        (r"\{3 \pm \sqrt{2}, 1\}", ("set", [r"3+\sqrt{2}", r"3-\sqrt{2}", "1"])),
        ("1, 3 and 5", ("list", ["1", "3", "5"])),
        ("(1, 2), (3, 4)", ("list", [("tuple", ["1", "2"]), ("tuple", ["3", "4"])])),
        ("(1, 2]", "(1,2]"),
        ("(a + b)(c + d)", "(a+b)(c+d)"),
        (r"\text{Evelyn}", ("words", "evelyn")),
        (r"\text{(C)}", "C"),
        (r"8 \%", ("percent", "8")),
        ("1,000, 2,000", ("list", ["1000", "2000"])),
        ("2,000", "2000"),
        ("1 1/2", r"1\frac{1}{2}"),
        (r"1:2:\sqrt{3}", ("ratio", ["1", "2", r"\sqrt{3}"])),
        (r"f(1:2:3)", "f(1:2:3)"),
        (r"0.1\overline{6}", r"\frac{15}{90}"),
        (r"3 + 2\,\mathrm{i}", "3+2i"),
        (r"\approx 3.14", "3.14"),
        (r"\{ \}", r"\emptyset"),
        (r"\text{A, B}", ("list", ["A", "B"])),
        (r"0.5^{\prime\prime}", ("unit", "arc second or inch", "0.5")),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"\left( 3, \dfrac{\pi}{2} \right)", ("tuple", ["3", r"\frac{\pi}{2}"])),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ],
)
def test_the_normal_form(text: str, form: Tree) -> None:
    assert read(text) == form


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (r"15\text{ cm}^2", ("15", "cm")),
        (r"12\text{ grade}", ("12", None)),
        ("2t", ("2t", None)),
        (r"5\text{ million}", (r"5\text{ million}", None)),
        (r"x\text{ apples}", (r"x\text{ apples}", None)),
    ],
)
def test_units_come_off_numbers_alone(text: str, parts: tuple[str, str | None]) -> None:
    assert without_unit(text) == parts


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"\{}()[],;^_$%. '12ax" + "×²π", max_size=60))
def test_any_text_has_a_normal_form(text: str) -> None:
    read(text)

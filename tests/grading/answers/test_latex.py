import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.grading.answers.latex import Tree, read


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (r"15\mbox{ cm}^2", ("unit", "cm^2", "text", "15", r"15\text{cm}^{2}")),
        (r"15\,\mathrm{centimeters}", ("unit", "centimeters", "text", "15", r"15\text{centimeters}")),
        (r"\$32,\!348", ("unit", "dollars", "text", "32348", "32348")),
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
        (r"0.5^{\prime\prime}", ("unit", "arc second or inch", "text", "0.5", r"0.5^{\prime\prime}")),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"\left( 3, \dfrac{\pi}{2} \right)", ("tuple", ["3", r"\frac{\pi}{2}"])),
        ("(1,7,103, 105)", ("tuple", ["1", "7", "103", "105"])),
        ("(1,000, 2,000)", ("tuple", ["1000", "2000"])),
        ("(15,000)", ("tuple", ["15", "000"])),
        ("1,234,567", "1234567"),
        ("1 234 567", "1234567"),
        ("1,7,103", ("list", ["1", "7", "103"])),
        ("x = 5", ("named", "x", "5", "x=5")),
        ("x^2 + y^2 = 25", "x^{2}+y^{2}=25"),
        (r"\text{Ann: }7", ("labelled", "ann", "7")),
        (r"\textbf{(B)}\ 12", ("option", "b", "12")),
        (r"3k \text{ for all integers } k", ("qualified", ("k", "arbitrary"), "3k")),
        (r"-2\mp\sqrt{3}", ("list", [r"-2-\sqrt{3}", r"-2+\sqrt{3}"])),
        (r"n \equiv 1 \pmod{4}", ("congruence", "n", ["1"], "4")),
        (r"x>3 \text{ or } x<-1", r"x>3\lor x<-1"),
        (r"\langle 1, 2 \rangle", ("tuple", ["1", "2"])),
        ("2:30 p.m.", ("time", 870, True, "2:30 p.m")),
        (r"20 \text{ June}", ("words", "june 20")),
        (r"20 \text{ million dollars}", ("unit", "dollars", "text", r"20\times 10^{6}", r"20\text{million dollars}")),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ],
)
def test_the_normal_form(text: str, form: Tree) -> None:
    assert read(text) == form


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"\{}()[],;^_$%. '12ax" + "×²π", max_size=60))
def test_any_text_has_a_normal_form(text: str) -> None:
    read(text)

import pytest

from elastic_reasoning.grading.answers.units import split_unit


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (r"15\text{ cm}^{2}", ("15", "cm^2", "text")),
        (r"9.8\text{ m}/\text{s}^{2}", ("9.8", "m/s^2", "text")),
        (r"5\text{ N}\cdot\text{m}", ("5", "N m", "text")),
        (r"12\text{ grade}", ("12", "grade", "text")),
        (r"300^{\circ}\text{C}", ("300", "degC", "text")),
        (r"5\Omega", ("5", "Ω", "text")),
        ("60 miles per hour", ("60", "miles per hour", "bare")),
        ("36 mL", ("36", "mL", "bare")),
        ("5 J", ("5", "J", "letter")),
        ("18元", ("18", "元", "text")),
        (r"5\text{ million}", (r"5 \times 10^{6}", "", "text")),
        (r"x\text{ apples}", ("x", "apples", "text")),
        ("2t", None),
        ("2mg", None),
        (r"2\ln a", None),
        (r"5\text{ or more}", None),
        (r"20\text{ June}", None),
        (r"n\text{ even}", None),
    ],
)
def test_what_stands_after_a_number(text: str, parts: tuple[str, str, str] | None) -> None:
    assert split_unit(text) == parts

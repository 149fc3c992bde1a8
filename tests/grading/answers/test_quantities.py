import pytest

from elastic_reasoning.grading.answers.quantities import SAME, conversion, generic, known

pytest.importorskip("pint")


@pytest.mark.parametrize(
    "unit", ["kJ", "mL", "m/s^2", "miles per hour", "sq. ft", "cubic cm", "eV", "degC", "kΩ", "N m", "元", "µm"]
)
def test_units(unit: str) -> None:
    assert known(unit)


@pytest.mark.parametrize("unit", ["students", "cats", "June", "ab", "x", "kaboodles", "", "units", "pens", "m//"])
def test_what_is_no_unit(unit: str) -> None:
    assert not known(unit)


@pytest.mark.parametrize(
    ("unit", "other", "factor"),
    [
        ("kJ", "J", r"\frac{1000}{1}"),
        ("L", "mL", r"\frac{1000}{1}"),
        ("cents", "dollars", r"\frac{1}{100}"),
        ("N m", "J", r"\frac{1}{1}"),
        ("m^2", "cm^2", r"\frac{10000}{1}"),
        ("h", "minutes", r"\frac{60}{1}"),
        ("degrees", "rad", r"\frac{\pi}{180}"),
    ],
)
def test_conversions(unit: str, other: str, factor: str) -> None:
    found = conversion(unit, other)
    assert found is not None
    assert found[0] == factor


def test_what_does_not_convert() -> None:
    assert conversion("kg", "m") is None
    assert conversion("m^2", "m") is None
    assert conversion("dollars", "euros") is None
    assert conversion("degC", "K") == (r"\frac{1}{1}", r"\frac{5463}{20}")
    assert conversion("degrees", "deg") == SAME
    assert generic("square units")
    assert not generic("students")

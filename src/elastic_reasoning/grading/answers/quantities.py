r"""What units are worth, by pint (github.com/hgrecco/pint), which is loaded with the first unit that is asked about.

    known("kJ")                    # True
    known("students")              # False
    conversion("kJ", "J")          # (r"\frac{1000}{1}", r"\frac{0}{1}"): 1 kJ is 1000 J
    conversion("kJ", "m")          # None

Only the units listed here are taken for units: pint would read "cats" as centi-technical-atmospheres.
"""

import re
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

# pint's names of the units that may be named, by whether prefixes may stand before them.
METRIC = frozenset(
    re.findall(
        r"\w+",
        """
    meter gram second ampere kelvin mole candela liter joule watt volt newton pascal hertz coulomb farad henry tesla
    weber siemens ohm electron_volt calorie bar becquerel sievert gray lumen lux radian bit byte parsec year gauss
    tonne bit_per_second katal metric_ton erg dyne molar
    """,
    )
)
PLAIN = frozenset(
    re.findall(
        r"\w+",
        """
    minute hour day week fortnight month decade century inch foot yard mile nautical_mile light_year
    astronomical_unit angstrom acre hectare gallon quart pint cup fluid_ounce tablespoon teaspoon pound ounce ton stone
    force_pound horsepower british_thermal_unit degree arcminute arcsecond revolution turn degree_Celsius
    degree_Fahrenheit atmosphere_pressure standard_atmosphere torr millimeter_Hg psi mile_per_hour
    kilometer_per_hour knot revolutions_per_minute unified_atomic_mass_unit dalton atomic_mass_unit
    dollar cent euro sterling yuan yen rupee ruble
    """,
    )
)
MONEY = (
    "dollar = [dollars] = USD",
    "cent = dollar / 100 = _ = penny = pennies",
    "euro = [euros] = EUR",
    "sterling = [sterlings] = GBP",
    "yuan = [yuans] = CNY = RMB",
    "yen = [yens] = JPY",
    "rupee = [rupees] = INR",
    "ruble = [rubles] = RUB",
)
WRITTEN = {
    **{"sec": "second", "secs": "second", "hr": "hour", "hrs": "hour", "mins": "minute", "yr": "year", "yrs": "year"},
    **{"kph": "km/h", "kmh": "km/h", "mi": "mile", "ft": "foot", "in": "inch", "yd": "yard", "yds": "yard"},
    **{"lbs": "pound", "lb": "pound", "oz": "ounce", "deg": "degree", "degC": "degC", "degF": "degF", "cc": "cm^3"},
    **{"degrees celsius": "degC", "degrees fahrenheit": "degF", "celsius": "degC", "fahrenheit": "degF"},
    **{"degree celsius": "degC", "kelvins": "kelvin", "Ω": "ohm", "µ": "micro", "ly": "light_year", "amu": "dalton"},
    **{"元": "yuan", "美元": "dollar", "米": "meter", "厘米": "cm", "毫米": "mm", "千米": "km", "公里": "km"},
    **{"克": "gram", "千克": "kg", "公斤": "kg", "秒": "second", "分钟": "minute", "小时": "hour", "天": "day"},
    **{
        "度": "degree",
        "平方米": "m^2",
        "平方厘米": "cm^2",
        "立方米": "m^3",
        "立方厘米": "cm^3",
        "升": "liter",
        "毫升": "mL",
    },
    **{"年": "year", "周": "week"},
}
AREA = re.compile(r"\b(?:square|sq\.?) ([A-Za-z]+)")
VOLUME = re.compile(r"\b(?:cubic|cu\.?) ([A-Za-z]+)")
WORD = re.compile(r"[A-Za-zΩµÅ\u4e00-\u9fff_]+")
GENERIC = re.compile(r"(?:(?:sq\.?|square|cubic|linear) )?units?(?:\^\d| squared| cubed)?|")


SAME = (r"\frac{1}{1}", r"\frac{0}{1}")
"""What `conversion` says of a unit and itself."""


@cache
def registry() -> Any:
    """Pint's units with exact factors, and those of money."""
    from pint import UnitRegistry

    units = UnitRegistry(non_int_type=Fraction)
    for definition in MONEY:
        units.define(definition)
    return units


@lru_cache(maxsize=1024)
def meaning(unit: str) -> Any:
    """The unit that words name, as pint has it, or `None`."""
    text = WRITTEN.get(unit.casefold(), unit)
    text = VOLUME.sub(r"\1^3", AREA.sub(r"\1^2", text))
    text = re.sub(r"\b([A-Za-z]+) squared", r"\1^2", re.sub(r"\b([A-Za-z]+) cubed", r"\1^3", text))
    text = re.sub(r"\s*(?:\bper\b|/)\s*", "/", text).strip()
    if not text or not re.fullmatch(r"[/\w\s^()Ωµ-]+", text):
        return None
    words = WORD.findall(text)
    names = {word: _name(word) for word in words}
    if not words or None in names.values():
        return None
    text = WORD.sub(lambda word: f"({names[word[0]]})", text)
    text = re.sub(r"(?<=[)\d])\s*(?=\()", "*", text.replace("^", "**"))
    try:
        return registry().parse_units(text.lstrip("/*") if not text.startswith("/") else f"1{text}")
    except Exception:  # whatever pint raises on what is no unit
        return None


@lru_cache(maxsize=1024)
def _name(word: str) -> str | None:
    """The name by which pint knows a word, of those listed here."""
    written = WRITTEN.get(word, WRITTEN.get(word.casefold(), word))
    if "/" in written or "^" in written:
        return written.replace("^", "**")
    for spelled in dict.fromkeys((written, written.casefold())) if len(written) > 3 else (written,):
        for prefix, unit, _ in registry().parse_unit_name(spelled):
            if unit in METRIC or (unit in PLAIN and not prefix) or (unit == "gram" and prefix):
                return f"{prefix}{unit}"
    return None


def known(unit: str) -> bool:
    """Whether the words name a unit."""
    return meaning(unit) is not None


def generic(unit: str) -> bool:
    """Whether the words only say that there is some unit."""
    return GENERIC.fullmatch(unit.casefold()) is not None


def singular(words: str) -> str:
    """Words without what tells one from many."""
    return " ".join(re.sub(r"(?:es|s)$", "", word) for word in words.casefold().split())


@lru_cache(maxsize=1024)
def conversion(unit: str, other: str) -> tuple[str, str] | None:
    """(a, b), in LaTeX, such that x in the one is a·x + b in the other; `None` where they do not measure the same."""
    one, two = meaning(unit), meaning(other)
    if one is None or two is None or one.dimensionality != two.dimensionality:
        return None
    degree, radian = registry().degree, registry().radian
    if (one, two) in ((degree, radian), (radian, degree)):
        return (r"\frac{\pi}{180}" if two == radian else r"\frac{180}{\pi}"), "0"
    try:
        zero, first = (registry().Quantity(Fraction(value), one).to(two).magnitude for value in (0, 1))
    except Exception:  # an offset unit within a product
        return None
    return _latex(Fraction(first) - Fraction(zero)), _latex(Fraction(zero))


def total(parts: list[Any]) -> Any:
    """Quantities in several units, normal forms of `latex.read`, as one in the unit of the first, or `None`."""
    if not all(isinstance(part, tuple) and part[0] == "unit" for part in parts):
        return None
    unit = parts[0][1]
    ratios = [conversion(part[1], unit) for part in parts]
    if None in ratios:
        return None
    number = "+".join(rf"{part[3]}\cdot {ratio[0]}" for part, ratio in zip(parts, ratios, strict=True) if ratio)
    return ("unit", unit, "text", number, number)


def _latex(number: Fraction) -> str:
    number = number.limit_denominator(10**15)
    return rf"\frac{{{number.numerator}}}{{{number.denominator}}}"

r"""Whether two normal forms of `latex.read` say the same, and by which rule.

    equal(read("x = 5"), read("5"), Terms(DEFAULT))   # "name left out"

Structure is compared here (members, names, units, words), what is left of it by `values`.
"""

import re
from dataclasses import replace
from typing import Any

from elastic_reasoning.grading.answers import quantities
from elastic_reasoning.grading.answers.assumptions import RELAXED, relaxed
from elastic_reasoning.grading.answers.latex import column
from elastic_reasoning.grading.answers.names import CALLED, bindings, sides
from elastic_reasoning.grading.answers.ratios import same_ratio, same_residues
from elastic_reasoning.grading.answers.regions import SAYS, number, same_region
from elastic_reasoning.grading.answers.rules import most_lenient
from elastic_reasoning.grading.answers.values import RANGE, Terms, same_value

SPELLED = re.compile(r"[A-Za-z0-9 ]+")


def equal(reference: Any, answer: Any, terms: Terms) -> str | None:
    """The most lenient rule that two normal forms need to say the same, or `None`."""
    if reference == answer and not terms.renamed:
        return "identical"
    kinds = {kind(reference), kind(answer)}
    for wrapped in UNWRAP:
        if wrapped in kinds:
            return UNWRAP[wrapped](reference, answer, terms)
    return _same(reference, answer, terms)


def compare(reference: Any, answer: Any, terms: Terms) -> str | None:
    """The same, with what an answer may be forgiven for by the rules that say so: one at a time, then all."""
    rule = equal(reference, answer, terms)
    allowed = [name for name in RELAXED if name in terms.rules]
    for names in (*([name] for name in allowed), allowed):
        if rule:
            break
        one, two = reference, answer
        for name in names:
            one, two = relaxed(name, one), relaxed(name, two)
        if (one, two) != (reference, answer):
            rule = combine_rules(most_lenient(*names), equal(one, two, terms))
    return rule


def kind(form: Any) -> str:
    """Of a normal form; a leaf has none."""
    return "" if isinstance(form, str) else str(form[0])


def combine_rules(rule: str, other: str | None) -> str | None:
    """The more lenient of two rules that are both needed."""
    return None if other is None else most_lenient(rule, other)


def rule_if(is_equal: bool, rule: str) -> str | None:
    """The rule, where two things are equal by it."""
    return rule if is_equal else None


def first(*found: str | None) -> str | None:
    """The first rule that does."""
    return next((rule for rule in found if rule), None)


def _said(reference: Any, answer: Any, terms: Terms) -> str | None:
    one, two = (form[2] if kind(form) == "said" else form for form in (reference, answer))
    return equal(one, two, terms)


def _qualified(reference: Any, answer: Any, terms: Terms) -> str | None:
    both = [form[1] for form in (reference, answer) if kind(form) == "qualified"]
    one, two = (form[2] if kind(form) == "qualified" else form for form in (reference, answer))
    names = {name.strip() for names, domain in both if domain == "arbitrary" for name in re.split(",|and", names)}
    terms = replace(terms, arbitrary=terms.arbitrary | names)
    return combine_rules("identical" if len(both) == 2 else "qualifier left out", equal(one, two, terms))


def _option(reference: Any, answer: Any, terms: Terms) -> str | None:
    """A letter of a choice with what it stands for: either of them will do."""
    options = [form for form in (reference, answer) if kind(form) == "option"]
    if len(options) == 2:
        return first(rule_if(reference[1] == answer[1], "identical"), equal(reference[2], answer[2], terms))
    other = answer if kind(reference) == "option" else reference
    if isinstance(other, str) and re.fullmatch("[A-Ja-j]", other):
        return rule_if(options[0][1] == other.casefold(), "label left out")
    one, two = (form[2] if kind(form) == "option" else form for form in (reference, answer))
    return combine_rules("label left out", equal(one, two, terms))


def _labelled(reference: Any, answer: Any, terms: Terms) -> str | None:
    both = kind(reference) == kind(answer)
    if both and reference[1] != answer[1]:
        return None
    one, two = (form[2] if kind(form) == "labelled" else form for form in (reference, answer))
    return combine_rules("identical" if both else "label left out", equal(one, two, terms))


def _either(reference: Any, answer: Any, terms: Terms) -> str | None:
    """Several values that are said to be equal: any of them, or the equations as such."""
    ones, twos = (form[1] if kind(form) == "either" else [form] for form in (reference, answer))
    if kind(reference) == kind(answer):
        return first(same_value(reference[2], answer[2], terms), equal(ones[-1], twos[-1], terms))
    return first(*(equal(one, two, terms) for one in ones for two in twos))


def _named(reference: Any, answer: Any, terms: Terms) -> str | None:
    """A value with a name before it: a name may be left out, never exchanged."""
    if kind(reference) == kind(answer):
        renamed = bindings(reference[1], answer[1])
        if renamed is not None:
            bound = (
                frozenset(CALLED.sub(r"\2", reference[1]).split(",")) if CALLED.fullmatch(reference[1]) else frozenset()
            )
            changed = any(old != new for old, new in renamed.items())
            inner = replace(terms, renamed=renamed if changed else {}, bound=terms.bound | bound)
            return combine_rules("other constants" if changed else "identical", equal(reference[2], answer[2], inner))
        return same_value(reference[3], answer[3], terms)
    named, other = (reference, answer) if kind(reference) == "named" else (answer, reference)
    if isinstance(other, str) and len(sides(other)) > 1:
        wholes = [form[3] if form is named else form for form in (reference, answer)]
        return same_value(wholes[0], wholes[1], terms)
    one, two = (form[2] if form is named else form for form in (reference, answer))
    return combine_rules("name left out", equal(one, two, terms))


def _unit(reference: Any, answer: Any, terms: Terms) -> str | None:
    """A quantity: a unit may be left out, or converted; words that are no unit must be the same."""
    wholes = [form[4] if kind(form) == "unit" else form for form in (reference, answer)]
    as_it_stands = None
    if all(kind(form) != "unit" or form[2] != "text" for form in (reference, answer)):
        as_it_stands = equal(wholes[0], wholes[1], terms) if wholes != [reference, answer] else None
    if as_it_stands:
        return as_it_stands
    if kind(reference) == kind(answer):
        return _both_units(reference, answer, terms)
    measured, other = (reference, answer) if kind(reference) == "unit" else (answer, reference)
    _, unit, style, quantity, _ = measured
    if kind(other) == "percent":
        return None
    if style == "letter" and (measured is reference or number(other) is None):
        return None  # it may be a variable
    if style != "text" and len(unit) < 4 and not quantities.known(unit):
        return None
    one, two = (quantity if form is measured else form for form in (reference, answer))
    is_unit = quantities.generic(unit) or quantities.known(unit)
    return combine_rules(
        "unit left out" if is_unit and unit else "label left out" if unit else "identical", equal(one, two, terms)
    )


def _sum(reference: Any, answer: Any, terms: Terms) -> str | None:
    """A quantity in several units as one in the first of them."""
    one, two = (quantities.total(form[1]) if kind(form) == "sum" else form for form in (reference, answer))
    return None if one is None or two is None else equal(one, two, terms)


def _both_units(reference: Any, answer: Any, terms: Terms) -> str | None:
    (_, unit, _, one, _), (_, other, _, two, _) = reference, answer
    if quantities.known(unit) and quantities.known(other):
        ratio = quantities.conversion(other, unit)
        if ratio is None or not isinstance(two, str) or not isinstance(one, str):
            return None
        if ratio == quantities.SAME:
            return equal(one, two, terms)
        return combine_rules("unit converted", same_value(one, rf"({two})\cdot {ratio[0]}+{ratio[1]}", terms))
    if quantities.singular(unit) == quantities.singular(other) or quantities.generic(unit) or quantities.generic(other):
        return combine_rules("identical" if unit == other else "label left out", equal(one, two, terms))
    return None


def _time(reference: Any, answer: Any, terms: Terms) -> str | None:
    """Times of day; where only one says which half of the day, the other may be in either."""
    if kind(reference) == kind(answer):
        (_, one, exact, _), (_, two, other_exact, _) = reference, answer
        if exact and other_exact:
            return rule_if(one == two, "same time")
        return rule_if(one % 720 == two % 720, "same time" if exact == other_exact else "unit left out")
    one, two = (form[3] if kind(form) == "time" else form for form in (reference, answer))
    return equal(one, two, terms)


UNWRAP = {
    "sum": _sum,
    "said": _said,
    "qualified": _qualified,
    "option": _option,
    "labelled": _labelled,
    "either": _either,
    "named": _named,
    "unit": _unit,
    "time": _time,
}


def _same(reference: Any, answer: Any, terms: Terms) -> str | None:
    match kind(reference), kind(answer):
        case ("", ""):
            return _leaves(reference, answer, terms)
        case ("percent", "percent"):
            return same_value(reference[1], answer[1], terms)
        case ("percent", "") | ("", "percent"):
            ones, twos = (_parts_of_hundred(form) for form in (reference, answer))
            return combine_rules("percent", first(*(same_value(one, two, terms) for one in ones for two in twos)))
        case ("set" | "list", "set" | "list"):
            return _listed(reference, answer, terms)
        case ("tuple" | "list", "tuple") | ("tuple", "list"):  # the order of a tuple may matter: x and y of a system
            return first(_in_order(reference[1], answer[1], terms), _by_name(reference, answer, terms))
        case ("tuple", "") | ("", "tuple"):
            return _column(reference, answer, terms)
        case ("set" | "list" | "words", "") | ("", "set" | "list" | "words") if same_region(reference, answer):
            return "same set"
        case ("ratio", "ratio"):
            return rule_if(same_ratio(reference[1], answer[1], terms), "same members")
        case ("congruence", "congruence"):
            return rule_if(same_residues(reference, answer), "same value")
        case ("words", "") | ("", "words"):
            words, plain = (reference[1], answer) if kind(reference) else (answer[1], reference)
            return rule_if(bool(SPELLED.fullmatch(plain)) and words == plain.casefold(), "same words")
    return None


def _parts_of_hundred(form: Any) -> tuple[str, ...]:
    return (form,) if isinstance(form, str) else (form[1], rf"\frac{{{form[1]}}}{{100}}")


def _leaves(reference: str, answer: str, terms: Terms) -> str | None:
    if SAYS.search(reference + answer) and same_region(reference, answer):
        return "same set"
    return same_value(reference, answer, terms)


def _listed(reference: Any, answer: Any, terms: Terms) -> str | None:
    """Lists and sets in any order, but for one whose members all have names beside one where none has."""
    named = [_names(form) for form in (reference, answer)]
    if bool(named[0]) != bool(named[1]) and any(len(set(names)) == len(names) for names in named if names):
        return _in_order(reference[1], answer[1], terms)
    return _matched(reference[1], answer[1], terms)


def _names(form: Any) -> list[str]:
    """What the members of a list are called, if all of them have names."""
    names = [member[1] for member in form[1] if kind(member) == "named"]
    return names if len(names) == len(form[1]) else []


def _by_name(reference: Any, answer: Any, terms: Terms) -> str | None:
    """A list of named values beside a tuple, in the order of their names."""
    one, two = (
        sorted(form[1], key=lambda member: str(member[1])) if kind(form) == "list" and _names(form) else form[1]
        for form in (reference, answer)
    )
    if (one, two) != (reference[1], answer[1]):
        return _in_order(one, two, terms)
    return None


def _in_order(references: list[Any], answers: list[Any], terms: Terms) -> str | None:
    if len(references) != len(answers):
        return None
    rule: str | None = "same members"
    for one, two in zip(references, answers, strict=True):
        rule = rule and combine_rules(rule, equal(one, two, terms))
    return rule


def _matched(references: list[Any], answers: list[Any], terms: Terms) -> str | None:
    """Whether each member of one list equals a member of the other that no other member has taken."""
    if len(references) != len(answers):
        return None
    left, needed = list(answers), "same members"
    for reference in references:
        alike = [reference] if reference in left else left  # the cheap comparison first: a list may be long
        found = next(((answer, rule) for answer in alike if (rule := equal(reference, answer, terms))), None)
        if found is None:
            return None
        left.remove(found[0])
        needed = most_lenient(needed, found[1])
    return needed


def _column(reference: Any, answer: Any, terms: Terms) -> str | None:
    """A tuple beside a matrix of one column or row, or beside an inequality as an open interval."""
    leaf, pair = (reference, answer) if isinstance(reference, str) else (answer, reference)
    if cells := column(leaf):
        entries = ("tuple", cells)
        return equal(entries, pair, terms) if leaf is reference else equal(pair, entries, terms)
    if same_region(reference, answer):
        return "same set"
    if RANGE.search(leaf):
        one, two = (
            form if isinstance(form, str) else f"({','.join(map(str, form[1]))})" for form in (reference, answer)
        )
        return same_value(one, two, terms)
    return None

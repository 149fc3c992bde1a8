"""What an answer may be forgiven for when asked to: each rule as a change to the normal forms of both answers.

    relaxed("order ignored", ("tuple", ["1", "2"]))         # ("list", ["1", "2"])
    relaxed("left side left out", "m+n=5")                  # "5"

None is a rule that the grader goes by on its own: they tell what was rejected for the form alone (`elastic grade
--explain`).
"""

from collections.abc import Callable
from typing import Any

from elastic_reasoning.grading.answers.latex import ENDS, tree
from elastic_reasoning.grading.answers.names import sides


def relaxed(rule: str, form: Any) -> Any:
    """A normal form after the change that a rule of `RELAXED` makes, at every depth."""
    change = RELAXED[rule]
    if isinstance(form, str):
        return change(form)
    changed = change(form)
    if isinstance(changed, str):
        return changed
    return tuple(
        [relaxed(rule, member) for member in part]
        if isinstance(part, list)
        else relaxed(rule, part)
        if isinstance(part, tuple) and part and part[0] in WITH_FORMS
        else part
        for part in changed
    )


def _case(form: Any) -> Any:
    return form.casefold() if isinstance(form, str) else form


def _name(form: Any) -> Any:
    return form[2] if form[0] == "named" else form


def _left_side(form: Any) -> Any:
    return tree(sides(form)[-1]) if isinstance(form, str) and len(sides(form)) > 1 else form


def _order(form: Any) -> Any:
    return ("list", *form[1:]) if form[0] == "tuple" else form


def _brackets(form: Any) -> Any:
    """Sets, lists, tuples and intervals as tuples in the order in which they were written."""
    if isinstance(form, str):
        match = ENDS.fullmatch(form)
        return tree(f"({match[1]})") if match else form
    return ("tuple", *form[1:]) if form[0] in ("set", "list") else form


def _unit(form: Any) -> Any:
    return form[3] if form[0] == "unit" else form


def _repeats(form: Any) -> Any:
    if form[0] not in ("set", "list"):
        return form
    return (form[0], [member for place, member in enumerate(form[1]) if member not in form[1][:place]])


WITH_FORMS = frozenset(
    {"said", "qualified", "option", "labelled", "either", "named", "unit", "set", "list", "tuple", "percent", "words"}
)
RELAXED: dict[str, Callable[[Any], Any]] = {
    "case ignored": _case,
    "other name": _name,
    "left side left out": _left_side,
    "repeats ignored": _repeats,
    "order ignored": _order,
    "brackets ignored": _brackets,
    "unit ignored": _unit,
}

"""Ratios of several numbers, and congruences.

same_ratio(["1", "2", "3"], ["2", "4", "6"], Terms(DEFAULT))   # True
"""

from typing import Any

from elastic_reasoning.grading.answers.regions import number
from elastic_reasoning.grading.answers.values import Terms, same_value


def same_ratio(reference: list[Any], answer: list[Any], terms: Terms) -> bool:
    """Whether two ratios have the same members up to one common factor: each the same share of the sum."""
    if len(reference) != len(answer) or not all(isinstance(member, str) for member in (*reference, *answer)):
        return False
    sums = "+".join(f"({member})" for member in reference), "+".join(f"({member})" for member in answer)
    shares = (
        (rf"\frac{{{member}}}{{{sums[0]}}}", rf"\frac{{{other}}}{{{sums[1]}}}")
        for member, other in zip(reference, answer, strict=True)
    )
    return all(same_value(*pair, terms) for pair in shares)


def same_residues(reference: Any, answer: Any) -> bool:
    """Whether two congruences about the same thing have the same residues."""
    if reference[1] and answer[1] and reference[1] != answer[1]:
        return False
    moduli = [number(form[3]) for form in (reference, answer)]
    residues = [[number(part) for part in form[2]] for form in (reference, answer)]
    if None in moduli or moduli[0] != moduli[1] or not moduli[0] or any(None in found for found in residues):
        return False
    one, two = (sorted(residue % moduli[0] for residue in found) for found in residues)
    return bool(one == two)

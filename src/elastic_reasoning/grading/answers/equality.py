r"""Whether an answer equals a reference: a process of its own, because math-verify needs signals and may never end.

    python -P equality.py FD    # answers requests (references, answer, rules) until the connection is closed

It imports nothing heavy but sympy, so that it starts as fast as that.
"""

from typing import Any

from elastic_reasoning.grading.answers.comparison import compare
from elastic_reasoning.grading.answers.rules import strictest
from elastic_reasoning.grading.answers.values import Terms
from elastic_reasoning.grading.process import serve

MEMORY_BYTES = 1 << 30


def verdict(references: list[Any], answer: Any, rules: frozenset[str]) -> str:
    """The rule by which an answer equals one of the references, or "unequal"."""
    found = [rule for reference in references if (rule := _rule(reference, answer, rules)) in rules]
    return strictest(*found) if found else "unequal"


def _rule(reference: Any, answer: Any, rules: frozenset[str]) -> str:
    try:
        return compare(reference, answer, Terms(rules)) or ""
    except MemoryError:
        raise
    except Exception:  # whatever sympy raises on what it cannot compare
        return ""


if __name__ == "__main__":
    serve(verdict, MEMORY_BYTES)

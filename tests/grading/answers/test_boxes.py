import pytest

from elastic_reasoning.grading.answers.boxes import last_box

# solution | what its last box holds, or "none" where there is no box, "empty" where it holds nothing
CASES = r"""
\boxed{5} | 5
so $x = \boxed{\frac{1}{2}}$. | \frac{1}{2}
\boxed{1} or rather \boxed{2} | 2
\boxed{x = \boxed{2}} | 2
\boxed{\boxed{5}} | 5
\boxed {5} | 5
\boxed{ \{2\} } | \{2\}
{ } } \boxed{\frac{4}{2}} | \frac{4}{2}
\fbox{5} | 5
\framebox{5} | 5
\framebox[2cm][c]{5} | 5
\bbox[5px,border:2px]{7} | 7
\\boxed{5} | 5
x &= 1 \\\boxed{5} | 5
boxed{5} | 5
unboxed{5} | none
\unboxed{5} | none
\boxes{5} | none
it is boxed | none
\boxed 5 | 5
$\boxed5$ | 5
\boxed5. | 5
\boxed 15, so | 15
\boxed 5 and more | 5
\boxed -5. | -5
\boxed .5 | .5
\boxed 1,234 b | 1,234
\boxed 1, 2 | 1
\boxed\frac12 | \frac12
$\boxed \frac 1 2$ | \frac 1 2
\boxed \frac{1}{2}. | \frac{1}{2}
\boxed -\frac{1}{2} hence | -\frac{1}{2}
$\boxed 2\sqrt{3}$. | 2\sqrt{3}
\boxed\pi/2 | \pi/2
\boxed x^2+1 | x^2+1
$\boxed 5 + 3$ | 5 + 3
\boxed 5 - this is | 5
\boxed 3\) and | 3
\boxed 50\% | 50\%
\boxed 5 \text{ cm} | 5 \text{ cm}
\boxed\text{B} | \text{B}
\boxed\{1,2\}. | \{1,2\}
\boxed \begin{pmatrix}1\\2\end{pmatrix}. | \begin{pmatrix}1\\2\end{pmatrix}
\boxed 7\,\text{cm} | 7\,\text{cm}
\boxed\left(1,2\right) | \left(1,2\right)
\boxed\sqrt[3]{2} | \sqrt[3]{2}
\boxed 2 \times 3 | 2 \times 3
\boxed 5 \\ next | 5
\boxed B | B
\boxed(1,2). | (1,2)
\boxed[1,2) | [1,2)
\boxed{5} is the \boxed answer | 5
\boxed{5}. I wrote \boxed. | 5
\boxed{5} and then \boxed{} | empty
\boxed{5} \boxed{ } | empty
\boxed{5} \boxed{\,} | empty
\boxed{5} \boxed{\text{ }} | empty
\boxed{5} \boxed{$$} | empty
\boxed{5} \boxed{\ } | empty
\boxed{5} \boxed{\phantom{x}} | empty
\boxed{}{5} | empty
\boxed{\{5\} | empty
\boxed{5} or \boxed{6 | empty
\boxed{5} or \boxed{\frac{1}{2} | empty
\boxed{5} or \boxed{ | empty
\boxed{5} or \boxed | empty
\boxed{x=\boxed{2 | empty
\boxed{{5} | empty
it is 5 | none
"""


@pytest.mark.parametrize(("solution", "expected"), [line.split(" | ") for line in CASES.strip().splitlines()])
def test_what_the_last_box_holds(solution: str, expected: str) -> None:
    box = last_box(solution)
    assert ("none" if box is None else "empty" if box.text is None else box.text) == expected


@pytest.mark.parametrize(
    "piece", ["\\", r"\boxed ", r"\boxed{", r"\boxed(", "boxed[", r"\boxed 1+", r"\boxed{1}", "{", r"\boxed" + " " * 99]
)
def test_a_text_is_read_once_however_many_boxes_it_opens(piece: str) -> None:
    last_box(piece * 100_000)  # what read it again for each box would not come to an end

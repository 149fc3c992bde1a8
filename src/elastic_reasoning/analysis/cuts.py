"""What one long thinking says that is cut at many budgets: tokens spent after the answer stood, and tokens that lacked.

    after_right(ladder)     # [samples, budgets]: thinking tokens since the answer has been right
    mended(ladder)          # [samples, budgets]: wrong, and right one budget further up

Everything is seen at the budgets that were measured and nowhere between them: an answer counts as standing from the
first budget on that shows it, so that the tokens after it are a lower bound.
"""

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.analysis.ladders import Ladder


def after_right(ladder: Ladder) -> NDArray[np.int64]:
    """Thinking tokens after the answer stood right: beyond the smallest budget from which on it has been right.

    Returns:
        [n, k]; at each budget as if thinking ended there. 0 where the answer is not right.
    """
    return _after(ladder.thinking, ladder.correct, ladder.correct[:, 1:] & ladder.correct[:, :-1])


def after_settled(ladder: Ladder) -> NDArray[np.int64]:
    """Thinking tokens after the answer stood, right or wrong: beyond the smallest budget from which on it is the same.

    Answers are the same where their texts are: 1/2 and 0.5 are not, which makes it less.

    Returns:
        [n, k]; at each budget as if thinking ended there. 0 where there is no answer.
    """
    answers = ladder.answers
    return _after(ladder.thinking, answers >= 0, answers[:, 1:] == answers[:, :-1])


def _after(thinking: NDArray[np.int64], holds: NDArray[np.bool_], same: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Tokens since the run of budgets began that ends here: one goes on where an answer is the same as a step below."""
    since = thinking.copy()
    for step in range(1, thinking.shape[1]):
        since[:, step] = np.where(same[:, step - 1], since[:, step - 1], thinking[:, step])
    return np.where(holds, thinking - since, 0)


def mended(ladder: Ladder) -> NDArray[np.bool_]:
    """[n, k], wrong at a budget and right at the next: the sample starved. Nothing is known of the last budget."""
    return _before(~ladder.correct[:, :-1] & ladder.correct[:, 1:])


def spoiled(ladder: Ladder) -> NDArray[np.bool_]:
    """[n, k], right at a budget and wrong at the next: the tokens between harmed it. As `mended` for the last."""
    return _before(ladder.correct[:, :-1] & ~ladder.correct[:, 1:])


def _before(changes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is known of k - 1 steps, as columns of k budgets."""
    return np.pad(changes, ((0, 0), (0, 1)))

"""Which random numbers a call of inspect_ai gets.

Within a sample of an evaluation they are those of `elastic sweep` for the problem of that id and the sample of that
epoch. A call that repeats an earlier one of its sample, word for word, gets others: whoever asks the same thing several
times wants several answers. Which calls run together changes nothing.
"""

from collections import Counter

from inspect_ai.solver._task_state import sample_state

from elastic_reasoning.core.request import derived_seed


class Draws:
    """The keys of one model's draws."""

    def __init__(self) -> None:
        self._seen = Counter[tuple[str, int]]()

    def key(self, seed: int, prompt: tuple[int, ...], num_choices: int) -> tuple[int, int]:
        """The seed of a call, and the number of its first sample; that of its next choice follows.

        Args:
            seed: of all calls.
            prompt: ids `[n]`.
            num_choices: of the call.
        """
        state = sample_state()  # inspect_ai shows it nowhere else
        place, parts, epoch = ("", (), 1) if state is None else (state.uuid, (state.sample_id,), state.epoch)
        repeat = self._seen[place, hash(prompt)]
        self._seen[place, hash(prompt)] += 1
        parts = (*parts, repeat) if repeat else parts
        return derived_seed(seed, *parts) if parts else seed, (epoch - 1) * num_choices

"""What records took: tokens and seconds.

num_sampled, num_generated = generated_tokens(records)
seconds, num_tokens = seconds_of(records)["mini"]
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record


def spent_tokens(records: Records) -> NDArray[np.int64]:
    """The tokens that each record is charged with where settings are compared: all that were sampled for it.

    Those of probes and of branches that were not chosen are among them.
    """
    return records["num_spent_tokens"]


def generated_tokens(records: Iterable[Record]) -> tuple[int, int]:
    """How many tokens were sampled for the records, and how many of those were really generated, not reused."""
    columns = Records.of(records)
    num_sampled = int(spent_tokens(columns).sum())
    return num_sampled, num_sampled - int(columns["num_reused_tokens"].sum())


def seconds_of(records: Iterable[Record]) -> dict[str, tuple[float, int]]:
    """For each model, the seconds its records took and the tokens that were generated in them, reused ones left out.

    Tokens per second are the second by the first, where the first is not 0: records made before time was kept, or
    graded elsewhere, have none. Several runs that were on at once count each their own time.
    """
    columns = Records.of(records)
    groups = {setting.model: columns.of_model(setting.model) for setting in columns.settings}
    return {model: (sum(each["seconds"].tolist()), generated_tokens(each)[1]) for model, each in groups.items()}

"""Where the bracket around an answer ends."""


def closed_at(text: str, start: int) -> int | None:
    """The place of the brace that closes one which was opened just before `start`; `None` where none does."""
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    return None

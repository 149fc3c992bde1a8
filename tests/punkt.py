"""A small model of English sentences in NLTK's format, made by hand, where the real one would have to be fetched."""

from pathlib import Path

import nltk
import pytest

ABBREVIATIONS = ("dr", "mr", "mrs", "e.g", "i.e")


def use_small_punkt(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let NLTK find the small model alone, in this process and in those that it starts."""
    model = folder / "tokenizers" / "punkt_tab" / "english"
    model.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "ortho_context.tab"):
        (model / name).write_text("")
    (model / "abbrev_types.txt").write_text("\n".join(ABBREVIATIONS))
    monkeypatch.setenv("NLTK_DATA", str(folder))
    monkeypatch.setattr(nltk.data, "path", [str(folder)])

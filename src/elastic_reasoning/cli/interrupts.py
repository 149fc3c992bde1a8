"""Ctrl-C and SIGTERM, from the first line of a command to the last: one line, an exit status, no traceback.

A command hears of either as KeyboardInterrupt, so that it can close what it has open and say how to go on. Where that
would do harm the process ends at once instead: within an import, which may swallow the exception or leave a library
half made; where Python can only report an exception and go on; and at the second signal.

This module is imported before all others: it needs nothing but what Python itself has loaded.
"""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
IMPORTS = "<frozen importlib"
SHOW_CURSOR = b"\x1b[?25h"


class Interrupts:
    """The handlers of a process; it keeps them until it has ended.

    Attributes:
        received: the first signal.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._is_told = False

    def install(self) -> None:
        """Handle both signals from now on."""
        for number in STATUS:
            signal.signal(number, self._handle)
        sys.unraisablehook = self._cannot_raise

    def tell(self, hint: str) -> int:
        """Say that the command was interrupted, with what follows from it, and give the exit status."""
        number = self.received or signal.SIGINT
        self._is_told = True
        if os.environ.get("RANK", "0") == "0":  # of several processes that train together, one speaks
            from elastic_reasoning.cli.output import note

            note(f"\nelastic: {WORDS[number]}{f': {hint}' if hint else ''}")
        return STATUS[number]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None or _within_import(frame):
            self._end(signal.Signals(number))
        self.received = signal.Signals(number)
        raise KeyboardInterrupt

    def _cannot_raise(self, report: Any) -> None:
        if isinstance(report.exc_value, KeyboardInterrupt):
            self._end(self.received or signal.SIGINT)
        sys.__unraisablehook__(report)

    def _end(self, number: signal.Signals) -> None:
        """End the process at once, without running anything else of it."""
        number = self.received or number
        with suppress(Exception):
            sys.stdout.flush()
        with suppress(OSError):
            if os.isatty(2):
                os.write(2, SHOW_CURSOR)
            if not self._is_told and os.environ.get("RANK", "0") == "0":
                os.write(2, f"\nelastic: {WORDS[number]}\n".encode())
        os._exit(STATUS[number])


def _within_import(frame: FrameType | None) -> bool:
    """Whether a module is being imported here."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORTS):
            return True
        frame = frame.f_back
    return False

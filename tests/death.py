"""A process that dies before a file operation of a given number."""

import sys
from collections.abc import Callable
from typing import Any

OPERATIONS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "shutil.copytree")


class Killed(BaseException):
    """The process is gone."""


class Death:
    """Raises `Killed` before a file operation of a given number."""

    def __init__(self) -> None:
        self.left: int | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.left is None or event not in OPERATIONS:
            return
        self.left -= 1
        if self.left < 0:
            raise Killed

    def before_operation(self, number: int, work: Callable[[], Any]) -> bool:
        """Whether death came before the work was done."""
        self.left = number
        try:
            work()
        except Killed:
            return True
        finally:
            self.left = None
        return False

"""The logger `goasyncore`, or what prints in its place."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["logger"]


def logger() -> Any:
    """Return the logger. Called early, too, because later it may be impossible to load logging."""
    try:
        import logging
    except (ImportError, OSError):  # the process has another root, path, or no descriptor left
        return _Printer
    return logging.getLogger("goasyncore")


class _Printer:
    """Takes the place of the logger, and prints to standard error."""

    @staticmethod
    def warning(message: str, *args: object) -> None:
        if sys.stderr is not None:
            sys.stderr.write(f"{message % args}\n")

    @classmethod
    def exception(cls, message: str, *args: object) -> None:
        cls.warning(message, *args)
        sys.excepthook(*sys.exc_info())

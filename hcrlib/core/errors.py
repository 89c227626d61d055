"""Errors for users: what went wrong, where, what was expected and found, and what to do next."""

from typing import Any


class HcrError(Exception):
    """An error described in one paragraph; the command line prints it and exits with 1, without a traceback.

    what: one sentence. where: a file, key or run. expected, got: the two sides of a mismatch. hint: the next step.
    """

    def __init__(
        self, what: str, *, where: Any = None, expected: Any = None, got: Any = None, hint: str | None = None
    ) -> None:
        self.what, self.where, self.expected, self.got, self.hint = what, where, expected, got, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what.rstrip(".")
        if self.where is not None:
            text += f" ({self.where})"
        text += "."
        if self.expected is not None:
            text += f" Expected {self.expected}"
            text += "." if self.got is None else f", got {self.got}."
        elif self.got is not None:
            text += f" Got {self.got}."
        if self.hint is not None:
            text += f" {self.hint}" if self.hint.endswith("?") else f" {self.hint.rstrip('.')}."
        return text

    def at(self, where: Any) -> "HcrError":
        """Return the same error with a different location."""
        return _rebuild(type(self), self.what, where, self.expected, self.got, self.hint)

    def __reduce__(self) -> tuple:  # keyword-only arguments do not survive pickling by themselves
        return _rebuild, (type(self), self.what, self.where, self.expected, self.got, self.hint)


class DataError(HcrError):
    """A data file or an array is missing, damaged or unexpected."""


class ConfigError(HcrError):
    """A name, parameter or settings file is wrong; nothing has been run."""


class RunError(HcrError):
    """A training or evaluation run could not be finished, or records cannot be compared."""


def _rebuild(kind: type[HcrError], what: str, where: Any, expected: Any, got: Any, hint: str | None) -> HcrError:
    return kind(what, where=where, expected=expected, got=got, hint=hint)

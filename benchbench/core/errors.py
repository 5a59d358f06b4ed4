"""Errors that carry their exit code and the command that helps.

Every error a user can cause is a `BenchError`: one sentence that names the value, and a hint
with what to type next. Exit codes: 1 failed, 2 wrong usage, 3 something must be prepared first,
4 finished but some objects failed, 5 a check said no.
"""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_MISSING = 3
EXIT_PARTIAL = 4
EXIT_CHECK = 5
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


def printable(text: str) -> str:
    """The text with everything escaped that would move a terminal's cursor or cannot be written.

    Names inside of files from outside are quoted in messages.

    Example:
        >>> printable("no file 'a\\x1b[2J\\udce9'")
        "no file 'a\\\\x1b[2J\\\\udce9'"
    """
    if text.isprintable():
        return text
    safe = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    return "".join(safe)


class BenchError(Exception):
    """A failure that can be explained in one sentence.

    Args:
        message: What was wrong, with the offending value; lower case, no full stop needed.
        hint: What to type next; printed on a line of its own.

    Example:
        >>> error = BenchError("no data set 'shapnet'", hint="bench list")
        >>> error.exit_code, str(error), error.hint
        (1, "no data set 'shapnet'", 'bench list')
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(printable(message))
        self.hint = None if hint is None else printable(hint)


class UsageError(BenchError):
    """The command or an argument is wrong; the user has to change it."""

    exit_code = EXIT_USAGE


class MissingError(BenchError):
    """Data, consent, weights, a compiler or space must be had first."""

    exit_code = EXIT_MISSING


class CheckError(BenchError):
    """A check said no: a hash, a count, expected numbers, mixed protocols."""

    exit_code = EXIT_CHECK


class InputError(BenchError):
    """A file from outside is broken, hostile or not what its name says."""


class DamagedError(InputError):
    """A file that this program wrote whole has been damaged since; nothing may be made of it."""


class ShapeError(BenchError, ValueError):
    """An argument of a kernel has the wrong shape, type or device.

    Args:
        function: Public name of the function that refuses.
        argument: Name of the argument.
        expected: What it must be, with shape letters.
        got: What came.

    Example:
        >>> print(ShapeError("nearest", "source", "(B, N, 3) float32", "(5, 2) float32"))
        nearest: source must be (B, N, 3) float32, got (5, 2) float32
    """

    def __init__(self, function: str, argument: str, expected: str, got: object) -> None:
        super().__init__(f"{function}: {argument} must be {expected}, got {got}")
        self.function = function
        self.argument = argument
        self.expected = expected
        self.got = got

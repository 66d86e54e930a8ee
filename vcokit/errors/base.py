"""The root of all errors, and those of input, plans, journals and rollouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vcokit.plain import visible


class VcokitError(Exception):
    """Base of all errors that vcokit raises on purpose.

    Parameters
    ----------
    message : str
        What was wrong, without a closing full stop.
    remedy : str, optional
        What to do about it, as an imperative.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [self.where(), self.message]
        text = ": ".join(part for part in parts if part)
        if self.remedy:
            # What the cloud says ends like a sentence, what we say does not.
            stop = " " if text.endswith((".", "!", "?")) else ". "
            text = f"{text}{stop}{self.remedy}"
        return visible(text)  # a traceback prints it to a terminal as it is

    def where(self) -> str:
        """Return the place of the fault as a prefix of the message; empty where there is none."""
        return ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Evidence is given by keyword, which the usual way of pickling errors forgets.
        return _revive, (type(self), self.args, dict(self.__dict__))


class InputError(VcokitError):
    """What was handed over (a frame, an argument, a file) cannot be used as it is."""


class InventoryError(InputError):
    """A file that cannot be read as an inventory of routes.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    source : str or Path, optional
        Name of the file.
    line : int, optional
        Line in the file, from 1, the header included.
    column : str, optional
        Name of the column at fault.

    Examples
    --------
    >>> print(InventoryError("8 cells where the header has 6", source="a.csv", line=17,
    ...                      remedy="Put quotes around the cell that holds a comma"))
    a.csv, line 17: 8 cells where the header has 6. Put quotes around the cell that holds a comma
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | Path | None = None,
        line: int | None = None,
        column: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.source = None if source is None else str(source)
        self.line = line
        self.column = column

    def where(self) -> str:
        """Return file, line and column, as far as they are known."""
        parts = [
            self.source,
            None if self.line is None else f"line {self.line}",
            None if self.column is None else f"column {self.column!r}",
        ]
        return ", ".join(part for part in parts if part)


class ConfigError(InputError):
    """A setting has a value that cannot be used.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    name : str, optional
        Name of the setting.
    origin : str, optional
        Where the value came from: ``argument``, ``environment``, or the name of a file.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str | None = None,
        origin: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.name = name
        self.origin = origin

    def where(self) -> str:
        """Return the setting and where its value came from."""
        if self.name is None:
            return self.origin or ""
        return f"setting {self.name}" + (f" ({self.origin})" if self.origin else "")


class RuleError(InputError):
    """A rule of one's own that cannot be used, or fails on the routes.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    rule : str, optional
        Name of the rule.
    source : str or Path, optional
        File that holds it.
    line : int, optional
        Line in the file, from 1.

    Examples
    --------
    >>> print(RuleError("KeyError: 'Site'", rule="lab-network", source="lab.py", line=7,
    ...                 remedy="Correct the rule, or leave it out"))
    lab.py, line 7, rule lab-network: KeyError: 'Site'. Correct the rule, or leave it out
    """

    def __init__(
        self,
        message: str,
        *,
        rule: str | None = None,
        source: str | Path | None = None,
        line: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.rule = rule
        self.source = None if source is None else str(source)
        self.line = line

    def where(self) -> str:
        """Return file, line and rule, as far as they are known."""
        parts = [
            self.source,
            None if self.line is None else f"line {self.line}",
            None if self.rule is None else f"rule {self.rule}",
        ]
        return ", ".join(part for part in parts if part)


class CredentialsError(VcokitError):
    """No usable AccessKey was found, or the one found cannot be used."""


class PlanError(VcokitError):
    """A plan cannot be made from these frames, or cannot be carried out."""


class StalePlanError(PlanError):
    """The live routes are not those the plan was made from; nothing was sent.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    differences : tuple of str
        One line a difference: connection, route, what the plan saw, what is there now.
    """

    def __init__(
        self, message: str, *, differences: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.differences = differences


class JournalError(VcokitError):
    """A journal cannot be read or written.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    path : str or Path, optional
        The journal's file.
    """

    def __init__(
        self, message: str, *, path: str | Path | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.path = None if path is None else str(path)

    def where(self) -> str:
        """Return the journal's path."""
        return self.path or ""


class JournalLockedError(JournalError):
    """Another rollout holds the journal."""


class RolloutError(VcokitError):
    """Steps of a rollout failed.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    failed : int
        Number of failed steps.
    """

    def __init__(self, message: str, *, failed: int = 0, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.failed = failed


def _revive(
    kind: type[VcokitError], args: tuple[Any, ...], evidence: dict[str, Any]
) -> VcokitError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(evidence)
    return error

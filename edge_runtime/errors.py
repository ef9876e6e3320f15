"""The errors of the device and the station: each says what to do next and carries its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class CamtrapEdgeError(Exception):
    """Base of every error that this project raises on purpose. `exit_code` is what a command ends with."""

    exit_code = 1


class ConfigError(CamtrapEdgeError):
    """A YAML file (settings or a bundle's manifest) says something that cannot be used."""

    exit_code = 2

    def __init__(self, file: Path, problem: str, *, line: int | None = None, key: str = "", hint: str = "") -> None:
        self.file, self.problem, self.line, self.key, self.hint = file, problem, line, key, hint
        where = f"{file}:{line}" if line is not None else str(file)
        what = f"{key}: {problem}" if key else problem
        super().__init__(f"{where}: {what}" + (f" ({hint})" if hint else ""))


class BundleError(CamtrapEdgeError):
    """A model bundle is missing, damaged or not to be trusted."""

    exit_code = 2

    def __init__(self, bundle: Path, problem: str, *, hint: str = "") -> None:
        self.bundle, self.problem, self.hint = bundle, problem, hint
        super().__init__(f"{bundle}: {problem}" + (f" ({hint})" if hint else ""))


class EngineError(CamtrapEdgeError):
    """A graph could not be loaded or run."""

    def __init__(self, engine: str, graph: Path, problem: str) -> None:
        self.engine, self.graph, self.problem = engine, graph, problem
        super().__init__(f"{graph}: {engine}: {problem}")


class PhotoError(CamtrapEdgeError):
    """A file that should be a photo cannot be used. `final` is False where waiting may mend it."""

    def __init__(self, file: Path, problem: str, *, final: bool) -> None:
        self.file, self.problem, self.final = file, problem, final
        super().__init__(f"{file}: {problem}")


class IncompletePhotoError(PhotoError):
    """A file ends before its picture does: still being written, or cut."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(file, problem, final=False)


class UnsettledPhotoError(PhotoError):
    """The picture is whole but nobody can tell whether the file is: believe it once it stops changing."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(file, problem, final=False)


class UnreadablePhotoError(PhotoError):
    """A file is no picture, is damaged, or is too large to decode safely."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(file, problem, final=True)


class CardGoneError(CamtrapEdgeError):
    """A card vanished while it was being read. Nothing is lost: what was not read yet is read next time."""

    def __init__(self, card: Path, problem: str) -> None:
        self.card, self.problem = card, problem
        super().__init__(f"{card}: card gone ({problem}); put it back to continue")


class StoppedError(CamtrapEdgeError):
    """Looking at a long file was given up because the program is to end. Nothing is lost: it is read next time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(f"{file}: left unfinished; it is read next time")


class JournalError(CamtrapEdgeError):
    """The journal cannot be opened or written."""

    def __init__(self, file: Path, problem: str, *, hint: str = "") -> None:
        self.file, self.problem, self.hint = file, problem, hint
        super().__init__(f"{file}: {problem}" + (f" ({hint})" if hint else ""))


class GalleryError(CamtrapEdgeError):
    """A gallery of individuals cannot be opened or written, or refuses what it is told."""

    def __init__(self, file: Path, problem: str, *, hint: str = "") -> None:
        self.file, self.problem, self.hint = file, problem, hint
        super().__init__(f"{file}: {problem}" + (f" ({hint})" if hint else ""))


class PayloadError(CamtrapEdgeError):
    """Bytes that are no payload of this specification."""

    def __init__(self, problem: str, *, bit: int | None = None) -> None:
        self.problem, self.bit = problem, bit
        super().__init__(problem if bit is None else f"{problem} (at bit {bit})")


class UnknownPayloadError(PayloadError):
    """A payload of a version or type that this program does not know yet: hold it, never drop it."""


@dataclass(frozen=True, slots=True)
class SheetProblem:
    """One thing that is wrong with a sheet."""

    line: int | None
    """From 1; None where it is about no single line."""
    column: str
    problem: str


class SheetError(CamtrapEdgeError):
    """A sheet of answers cannot be taken. Nothing of it was."""

    SHOWN = 20

    def __init__(self, file: Path, problems: Sequence[SheetProblem]) -> None:
        self.file, self.problems = file, tuple(problems)
        lines = [f"{file}: nothing of it was taken:"]
        for found in self.problems[: self.SHOWN]:
            where = f"{file}:{found.line}" if found.line is not None else str(file)
            what = f"{found.column}: {found.problem}" if found.column else found.problem
            lines.append(f"  {where}: {what}")
        if len(self.problems) > self.SHOWN:
            lines.append(f"  and {len(self.problems) - self.SHOWN} more")
        super().__init__("\n".join(lines))


class LinkError(CamtrapEdgeError):
    """The broker cannot be reached or refuses us."""

    exit_code = 3

    def __init__(self, broker: str, problem: str, *, hint: str = "") -> None:
        self.broker, self.problem, self.hint = broker, problem, hint
        super().__init__(f"{broker}: {problem}" + (f" ({hint})" if hint else ""))


class DrainTimeoutError(CamtrapEdgeError):
    """Summaries are still waiting in the outbox; they go out next time."""

    exit_code = 3

    def __init__(self, waiting: int, seconds: float) -> None:
        self.waiting, self.seconds = waiting, seconds
        super().__init__(
            f"{waiting} summaries not acknowledged by a station after {seconds:.0f} s; "
            "they stay in the outbox and go out on the next run"
        )

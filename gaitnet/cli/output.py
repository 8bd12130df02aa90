"""What commands say: tables and JSON on stdout; progress, notes and errors on stderr; the exit code of each failure."""

import contextlib
import dis
import errno
import json
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

BAD_INPUT, SYSTEM_FAILED, INTERRUPTED = 2, 1, 130
OURS = ("gaitnet", "humanpose")

Progress = Callable[[int, int | None], None]


@contextlib.contextmanager
def answering_for_failures() -> Iterator[None]:
    """Turn whatever goes wrong inside into one sentence on stderr and an exit code; GAITNET_DEBUG=1 shows it all.

    Input that cannot be used (a ValueError raised by this project) exits with 2, a system that fails (OSError, memory,
    a defect of ours) with 1, Ctrl-C with 130.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = _warn
            yield
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except KeyboardInterrupt:
        note("interrupted; nothing half-written was left behind")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("typer", "click"):
            raise  # wrong usage, which typer explains
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise  # the reader of a pipe has seen enough, which typer knows
        if debugging():
            traceback.print_exc()
        sentence, code = explained(error)
        note(f"gaitnet: {sentence}", "bold red")
        raise typer.Exit(code) from None


def explained(error: Exception) -> tuple[str, int]:
    """One sentence for a failure, and its exit code."""
    if isinstance(error, OSError):
        return _system_sentence(error), SYSTEM_FAILED
    if isinstance(error, MemoryError):
        return "there is not enough memory for this", SYSTEM_FAILED
    if isinstance(error, ValueError) and (_of_ours(type(error).__module__) or _raised_by_us(error)):
        # a checkpoint's error may list hundreds of names
        return str(error) if debugging() else getattr(error, "brief", str(error)), BAD_INPUT
    about = " ".join(str(error).split())[:300]
    return (
        f"an unexpected failure, which is a defect of this program ({type(error).__name__}: {about}); "
        "GAITNET_DEBUG=1 shows where it happened"
    ), SYSTEM_FAILED


def _of_ours(module: str) -> bool:
    return module.split(".")[0] in OURS


def _raised_by_us(error: Exception) -> bool:
    """Whether a `raise` of ours raised it: then it is a sentence for the user, not a defect of ours or a library's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not _of_ours(trace.tb_frame.f_globals.get("__name__", "")):
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _system_sentence(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if not error.filename:
        return f"the system refused: {reason}"
    path = Path(os.fsdecode(error.filename))
    # a temporary file's name means nothing to the user, its folder does
    return f"{path.parent if path.name.startswith('.') else path}: {reason}"


def _warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if _of_ours(category.__module__) or debugging():
        note(f"warning: {message}", "yellow")


def debugging() -> bool:
    """Whether everything is to be shown that may help to find a defect."""
    return os.environ.get("GAITNET_DEBUG", "") not in ("", "0")


def stop_on_termination() -> None:
    """Let SIGTERM unwind like Ctrl-C, so that temporary files go too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def note(text: str, style: str = "") -> None:
    """Say something on stderr, as it is: no markup, no cutting into lines of a narrow terminal."""
    text = plain(text)
    if style and sys.stderr.isatty():
        from rich.console import Console

        Console(stderr=True).print(text, style=style, markup=False, highlight=False, soft_wrap=True)
    else:
        print(text, file=sys.stderr)


def say(text: str) -> None:
    """Say something on stdout, as it is but for letters that stdout does not take."""
    typer.echo(_takeable(text))


def emit(document: Any) -> None:
    """Print one JSON document on stdout."""
    say(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


@contextlib.contextmanager
def bar(what: str, unit: str = "frames") -> Iterator[Progress]:
    """A progress bar on stderr, gone when done; nothing where stderr is no terminal. Yields progress(done, total)."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed:.0f} " + unit),
        TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """A sign of life on stderr while something lasts whose length nobody knows."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def table(header: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = (), title: str = "") -> None:
    """Print a table on stdout that fits the terminal (80 columns where there is none); long cells continue below.

    Args:
        header: names of the columns.
        rows: cells as text, numbers, or None (empty).
        right: columns of numbers, by place from 0.
        title: a line above.

    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if title:
        say(title)
    drawn = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)  # two columns between cells, not three
    for place, name in enumerate(header):
        drawn.add_column(name, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("" if cell is None else _takeable(str(cell))) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 80)
    console.print(drawn)


def _takeable(text: str) -> str:
    """The text with escapes, as JSON too reads them, for what a terminal acts upon and what stdout cannot encode.

    A terminal may be no UTF-8, and so may the name of a file: neither must stop a command that has done its work.
    """
    encoding = sys.stdout.encoding or "utf-8"
    return plain(text).encode(encoding, "backslashreplace").decode(encoding)


def plain(text: str) -> str:
    """The text with escapes for what a terminal would act upon: names in foreign files may colour, erase or retitle it.

    Ends of lines stay, for texts of ours have several.
    """
    return _ACTED_UPON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_ACTED_UPON = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def writable(path: Path) -> Path:
    """The path, if a file can be put there: told before the work, not after it.

    Raises:
        ValueError: its folder does not exist, or the path is a folder.
        OSError: its folder may not be written.

    """
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a file")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: the folder {path.absolute().parent} does not exist; create it first")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return path


def rounded(value: Any, digits: int = 4) -> float | None:
    """A number for JSON: few digits, None for what is missing or not finite."""
    if value is None or value != value or abs(value) == float("inf"):
        return None
    return round(float(value), digits)

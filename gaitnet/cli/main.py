"""The command line: `gaitnet COMMAND`. Commands import what is heavy when they run, so that --help comes at once."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gaitnet.cli.compare import compare
from gaitnet.cli.datasets import datasets_commands
from gaitnet.cli.demo import demo
from gaitnet.cli.describe import describe
from gaitnet.cli.enroll import enroll
from gaitnet.cli.evaluate import evaluate_commands
from gaitnet.cli.gallery import gallery_commands
from gaitnet.cli.identify import identify, verify
from gaitnet.cli.output import INTERRUPTED, answering_for_failures, debugging, note, say, stop_on_termination
from gaitnet.cli.pose import pose
from gaitnet.cli.silhouettes import silhouettes
from gaitnet.cli.walkers import walkers_commands
from gaitnet.cli.weights import weights_commands


class Commands(TyperGroup):
    """The commands, with one place that answers for whatever fails in any of them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; failures become a sentence and an exit code."""
        with answering_for_failures():
            return super().invoke(ctx)


def _version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version

        say(f"gaitnet {version('gaitnet')}")
        raise typer.Exit
    return wanted


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done (also when nobody could be described), 2 bad input, 1 system failed, 130 interrupted.",
)


@app.callback()
def gaitnet(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """Film somebody walking; learn who it is, how sure that is, and why.

    Everything runs on this machine. Begin with: gaitnet enroll NAME VIDEO, then: gaitnet identify VIDEO.
    """


app.command()(enroll)
app.command()(identify)
app.command()(verify)
app.add_typer(gallery_commands, name="gallery")
app.command()(pose)
app.command()(silhouettes)
app.command()(describe)
app.command()(demo)
app.add_typer(walkers_commands, name="walkers")
app.add_typer(datasets_commands, name="datasets")
app.add_typer(evaluate_commands, name="evaluate")
app.command()(compare)
app.add_typer(weights_commands, name="weights")


def main() -> None:
    """Run the console script `gaitnet`."""
    stop_on_termination()
    if not debugging():
        # read when jax is imported: XLA tells of errors by exceptions too, and asks users of slow machines to file bugs
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        app()
    except KeyboardInterrupt:  # before a command had begun
        note("interrupted")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

"""`gaitnet evaluate`: public protocols on real and synthetic walks; each a command of this group."""

import typer

from gaitnet.cli.evaluate_clips import clips
from gaitnet.cli.evaluate_cmu import cmu
from gaitnet.cli.evaluate_kth import kth
from gaitnet.cli.evaluate_pose import pose
from gaitnet.cli.evaluate_skeletons import kinect, ucalgary
from gaitnet.cli.evaluate_trees import casia_a, casia_b, folder, tum_gaid
from gaitnet.cli.evaluate_usf import usf
from gaitnet.cli.evaluate_walkers import walkers
from gaitnet.cli.evaluate_walkers_grid import walkers_grid

evaluate_commands = typer.Typer(no_args_is_help=True, help="Measure how often it is right: rates, intervals, controls.")


@evaluate_commands.callback()
def evaluate() -> None:
    """Measure how often it is right: rates with intervals, and the controls beside them."""


evaluate_commands.command()(kth)
evaluate_commands.command()(cmu)
evaluate_commands.command()(clips)
evaluate_commands.command()(pose)
evaluate_commands.command()(walkers)
evaluate_commands.command()(kinect)
evaluate_commands.command()(ucalgary)
evaluate_commands.command("casia-a")(casia_a)
evaluate_commands.command("casia-b")(casia_b)
evaluate_commands.command("tum-gaid")(tum_gaid)
evaluate_commands.command()(folder)
evaluate_commands.command("walkers-grid")(walkers_grid)
evaluate_commands.command()(usf)

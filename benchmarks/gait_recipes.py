"""What each recipe of the gait task is worth after a short training: rank-1 of walkers of whom nothing was learned.

    python benchmarks/gait_recipes.py [--steps 300] [--run runs/recipes] [--arms NAME ...]

One network for each recipe, all with the same start, crowd and number of steps. What is trained is a SkeletonGRU, the
half of GaitNN that recipes differ in: it reads joints as numbers, and a CPU can show it far more walks than maps.
Rank-1 is that of `train gait` while it trains, of more people: two normal walks of each enrolled, one walk in each
condition searched, from the side, with simulated errors of a pose network; the margin of error of the mean is some 3
percent points (one seed, the same people for all). A run that was interrupted goes on where it was.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from train import gait
from train.gait_config import GAIT_PRESETS, GaitRecipe, GaitTaskConfig
from train.loop import fit

PEOPLE = 200
"""Unseen walkers who measure."""


def arms() -> dict[str, GaitTaskConfig]:
    """The presets' recipes, batches, lengths and optimisers, on one crowd seen alike; and parts of the modern one."""
    crowd = {name: getattr(GAIT_PRESETS["walkers"], name) for name in ("subjects", "any_view", "view_spread", "size")}
    on_crowd = {
        name: dataclasses.replace(GAIT_PRESETS[name], **crowd, network="SkeletonGRU")
        for name in ("walkers", "original", "modern", "modern-sgd")
    }
    modern = on_crowd["modern"]
    recipe = modern.recipe
    losses = GaitRecipe(recipe.loss, recipe.label_smoothing, recipe.margin, recipe.neck, recipe.dropout)
    changes = {name: getattr(recipe, name) for name in ("tempo", "shortest", "dropped", "mirrored", "trembling")}
    return on_crowd | {
        "modern, walks unchanged": dataclasses.replace(modern, recipe=losses),
        "modern, losses of walkers": dataclasses.replace(modern, recipe=GaitRecipe(**changes)),
    }


def main() -> None:
    """Train and measure the arms, and print a line for each."""
    known = arms()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--run", type=Path, default=Path("runs/recipes"), help="folder of the runs")
    parser.add_argument("--arms", nargs="+", choices=list(known), default=list(known), metavar="NAME")
    arguments = parser.parse_args()
    if arguments.steps < 2:
        parser.error(f"--steps: expected 2 or more, got {arguments.steps}")
    evaluate = gait.make_evaluation(GAIT_PRESETS["walkers"], subjects=PEOPLE)
    print(f"{'recipe':28} walks a step   mean  by condition, after {arguments.steps} steps")
    told("untrained", 0, evaluate(gait.new_model(known["walkers"])))
    for name in arguments.arms:
        config = dataclasses.replace(known[name], steps=arguments.steps)
        trained = fit(
            gait.new_model(config), gait.make_loss(config), gait.make_batches(config), optimizer=config.optimizer,
            steps=config.steps, directory=arguments.run / name.replace(", ", "-").replace(" ", "-"),
            config=dataclasses.asdict(config), seed=config.seed, save_every=500,
        )  # fmt: skip
        told(name, config.people * config.walks, evaluate(trained))


def told(name: str, walks: int, rates: Mapping[str, float]) -> None:
    """Print a row of the table: rank-1 in percent, over all conditions and in each."""
    each = "  ".join(f"{key.removeprefix('rank1_')} {100 * rate:.1f}" for key, rate in rates.items())
    print(f"{name:28} {walks:12} {100 * sum(rates.values()) / len(rates):6.1f}  {each}", flush=True)


if __name__ == "__main__":
    main()

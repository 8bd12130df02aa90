"""`gaitnet demo`: synthetic people enrolled and found again, on one page to look at."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gaitnet.cli.describe import AsJson, Weights, load, yardstick
from gaitnet.cli.output import bar, emit, note, say, table


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the page, video and numbers.")] = Path(
        "demo-output"
    ),
    seed: Annotated[int, typer.Option(min=0, max=99_999, help="Which walkers are drawn.")] = 1,
    walkers: Annotated[int, typer.Option(min=5, max=500, help="How many are enrolled.")] = 20,
    weights: Weights = None,
    as_json: AsJson = False,
) -> None:
    """Enrol twenty synthetic walkers, find them again, and show how often that is right.

    [bold]Example[/]
    gaitnet demo --output demo-output
    """
    from gaitnet.demo.plan import DemoConfig
    from gaitnet.demo.run import run

    recognizer = load(weights)
    command = f"gaitnet demo --seed {seed} --walkers {walkers}"
    measure = yardstick(weights, recognizer.identity)
    document = run(recognizer, output, DemoConfig(walkers, seed=seed), measure, bar, command)
    if as_json:
        emit(document)
        return
    show(document)
    if document["weights"] and measure is None:
        note('these weights come without strangers: the threshold of "unknown" was set on the walkers themselves')
    say(f"\nLook at {document['files'][0]} (walkers, synthetic; {document['seconds']:.0f} s)")


def show(document: dict[str, Any]) -> None:
    """The table of rates with their intervals and the controls, "unknown", and the two of the video."""
    from gaitnet.identification.open_set import in_percent

    methods = list(document["rank_1"])
    rows = [
        (name, *[_rate(document["rank_1"][method][name]) for method in methods])
        for name in document["rank_1"][methods[0]]
    ]
    count = document["config"]["walkers"]
    title = f"{count} walkers (synthetic), rank-1 in % [95 % interval]; chance {100 * document['chance']:.1f} %"
    table(("probes", *methods), rows, right=tuple(range(1, len(methods) + 1)), title=title)
    rows = [(each["threshold"], _rate(each["fpir"]), _rate(each["fnir"])) for each in document["open_set"]]
    title = "walkers (synthetic) who are not enrolled, given a name; enrolled, not named rightly; %"
    table(("threshold", "FPIR", "FNIR"), rows, right=(1, 2), title=title)
    for one in document["video"]:
        answer = one["name"] or (f"not described, {one['reason']}" if one["reason"] else "unknown")
        sure = f", sure {in_percent(one['confidence'])}" if one["name"] else ""
        say(f"in the video, {one['truth']}: {answer}{sure}")


def _rate(rate: dict[str, Any]) -> str:
    if rate["value"] is None:
        return ""
    value, low, high = (None if rate[name] is None else 100 * rate[name] for name in ("value", "low", "high"))
    return f"{value:.1f}" if low is None or high is None else f"{value:.1f} [{low:.0f}, {high:.0f}]"

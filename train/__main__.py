"""`python -m train detect|pose|legs|follow|walks|real|gait|silhouettes|strangers|export`: trains and packs networks."""

import dataclasses
import hashlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from train.memory import keep_memory

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False, rich_markup_mode="rich"
)
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of the run, instead of the preset's.")]
Init = Annotated[Path | None, typer.Option(help="A run, or a checkpoint, whose weights are the starting point.")]
Weights = Annotated[Path, typer.Argument(help="Folder with the sub-folders pose and gait.")]
Data = Annotated[Path, typer.Option(envvar="GAITNET_DATA", help="Folder of data sets.")]


def _preset(presets: dict, name: str, steps: int | None):
    if name not in presets:
        raise typer.BadParameter(f"there is no preset {name!r}; there are: {', '.join(presets)}")
    return presets[name] if steps is None else dataclasses.replace(presets[name], steps=steps)


def _chosen(config: Any, chosen: dict[str, Any]) -> Any:
    """The preset with what was chosen by options; BadParameter where the two do not go together."""
    try:
        return dataclasses.replace(config, **{name: value for name, value in chosen.items() if value is not None})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _begin(task: Any, config: Any, init: Path | None) -> tuple[Any, str]:
    """The network that the config names, freshly drawn or with other weights, and which these are."""
    from humanpose.checkpoint import MANIFEST
    from train.export import newest_weights, shipped_weights

    model = task.new_model(config)
    if init is None:
        return model, ""
    if (init / MANIFEST).is_file():
        return model, f"{init.name}, sha256 {shipped_weights(init, model)}"
    return model, f"{init.name}, step {newest_weights(init, model)}"


def _checksum(option: str, file: Path) -> str:
    """The sha256 of what an option names; ValueError where that is no file."""
    if not file.is_file():
        why = "is a folder" if file.is_dir() else "is not there"
        raise ValueError(f"{option}: expected a file, got {file}, which {why}")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _settings(name: str, preset: str, config: Any, init: str, read: dict[str, str]) -> dict[str, Any]:
    """What a run is made of; `read` names by checksum what else it reads."""
    return {"task": name, "preset": preset, "init": init, **dataclasses.asdict(config), **read}


def _fit(
    name: str, preset: str, config: Any, run: Path, init: str, model: Any, loss: Any, batches: Any,
    evaluate: Any, **read: str,
) -> None:  # fmt: skip
    """Trains, or resumes under equal settings; `read` as `_settings` has it."""
    from train.loop import fit

    settings = _settings(name, preset, config, init, read)
    fit(
        model, loss, batches, optimizer=config.optimizer, steps=config.steps, directory=run, config=settings,
        seed=config.seed, evaluate=evaluate,
    )  # fmt: skip


@app.command()
def detect(
    preset: Annotated[str, typer.Option(help="scenes+walkers | scenes")] = "scenes+walkers",
    run: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run is resumed.")] = Path("runs/detect"),
    trunk: Annotated[
        Path | None, typer.Option(help="Pose weights whose trunk is the starting point, such as checkpoints/pose.")
    ] = None,
    init: Init = None,
    steps: Steps = None,
    data: Data = Path("data"),
) -> None:
    """People in a picture: photographs, filmed scenes and walkers rendered in the step."""
    from train import detect as task
    from train.config import DETECT_PRESETS
    from train.data import Prefetch
    from train.detect_data import load_detect_data, walkers_scenes

    config = _preset(DETECT_PRESETS, preset, steps)
    if init is not None and trunk is not None:
        raise typer.BadParameter("--init and --trunk are both starting points: give one of them")
    model, origin = _begin(task, config, init)
    read = {} if trunk is None else {"trunk": f"{trunk.name}, sha256 {task.take_over(model, trunk)}"}
    scenes = load_detect_data(data)
    loss = task.make_loss(walkers_scenes((config.size, config.size)) if config.walkers else None)
    evaluate = task.make_evaluation(config, scenes)
    with Prefetch(task.make_batches(config, scenes)) as batches:
        _fit("detect", preset, config, run, origin, model, loss, batches, evaluate, **read)


@app.command()
def pose(
    preset: Annotated[
        str,
        typer.Option(
            help="lspet+walkers | no-kth | quality | small | large | wide | wide-on | lspet | walkers; the original's "
            "network on what it learned from: mpii+lsp | human36m, or another, with -detector | -mobile | -cpu (small) "
            "behind it"
        ),
    ] = "lspet+walkers",
    run: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run is resumed.")] = Path("runs/pose"),
    trunk: Annotated[
        Path | None, typer.Option(help="A trunk of gaitnet weights convert, which is the starting point.")
    ] = None,
    init: Init = None,
    wider: Annotated[
        Path | None, typer.Option("--widen", help="A run, or a checkpoint, of a narrower network to begin as.")
    ] = None,
    opinions: Annotated[
        Path | None, typer.Option(help="BlazePose on LSPET's photographs, of train/blazepose.py.")
    ] = None,
    legs: Annotated[Path | None, typer.Option(help="Which legs are the right ones, of python -m train legs.")] = None,
    followed: Annotated[
        Path | None, typer.Option(help="Joints in KTH's other frames, of python -m train follow.")
    ] = None,
    loss_by: Annotated[
        str | None,
        typer.Option("--loss", help="sigmoid_cross_entropy (discs) | mean_square (Gaussians), of the original's nets."),
    ] = None,
    half_body: Annotated[
        float | None, typer.Option(help="How often a photograph shows half a body alone, 0 to 1.")
    ] = None,
    hidden_weight: Annotated[
        float | None, typer.Option(help="What a joint counts that MPII's annotators did not see, 0 to 1.")
    ] = None,
    steps: Steps = None,
    data: Data = Path("data"),
) -> None:
    """Joints of a person: photographs, landmarked video and walkers rendered in the step; or MPII with LSP, Human3.6M.

    These lie in --data in folders of their names. mpii+lsp and human36m, with whatever behind them, read either what
    was released or what `gaitnet datasets prepare` made of it; the others read lspet and kth_walking as released.

    [bold]Examples[/]
    python -m train pose --preset small --run runs/small
    python -m train pose --preset large --init runs/small --run runs/large
    python -m train pose --preset mpii+lsp-mobile --data data --run runs/mpii
    """
    from train import pose as task
    from train.checkpoint import require_settings
    from train.config import POSE_PRESETS
    from train.data import Prefetch, input_threads
    from train.pose_data import PoseData, load_pose_data
    from train.pose_releases import load_releases, told
    from train.pose_walkers import walkers_drawer
    from train.trunk import padded_like, take_trunk
    from train.widen import take_narrow

    chosen = {"loss": loss_by, "half_body": half_body, "hidden_weight": hidden_weight}
    config = _chosen(_preset(POSE_PRESETS, preset, steps), chosen)
    starts = [start for start in (init, trunk, wider) if start is not None]
    if len(starts) > 1:
        raise typer.BadParameter("--init, --trunk and --widen are all starting points: give one of them")
    config = padded_like(config, starts[0]) if starts else config
    model, origin = _begin(task, config, init)
    read = {} if trunk is None else {"trunk": f"{trunk.name}, sha256 {take_trunk(model, trunk)}"}
    if wider is not None:
        read["widened"] = take_narrow(model, wider)
    if opinions is not None:
        if config.loss != "spatial_cross_entropy":
            raise typer.BadParameter(f"--opinions: the loss of this preset, {config.loss}, knows one place a joint")
        if config.data != "lspet+kth":
            raise typer.BadParameter(
                "--opinions: they are on the photographs of LSPET, from which --preset lspet learns"
            )
        if not config.photographs:
            raise typer.BadParameter("--opinions: this preset learns from no photographs, which they are on")
        read["opinions_sha256"] = _checksum("--opinions", opinions)
    if legs is not None:
        if config.data != "lspet+kth" or not config.landmarks:
            raise typer.BadParameter("--legs: they are of KTH's references, from which --preset large learns")
        read["legs_sha256"] = _checksum("--legs", legs)
    if followed is not None:
        if config.data != "lspet+kth" or not config.landmarks:
            raise typer.BadParameter("--followed: it is of KTH's films, from which --preset large learns")
        read["followed_sha256"] = _checksum("--followed", followed)
    # whom it learns from is told by the data alone, which may take hours to be cut out into the folder of the run
    require_settings(run, _settings("pose", preset, config, origin, read), except_for=("people",))
    records = PoseData([], [], {})
    if config.data != "lspet+kth":
        records = load_releases(config, data, run / "crops")
        read["people"] = told(records)
        typer.echo(f"learning from {read['people']}")
    elif config.photographs or config.landmarks:
        records = load_pose_data(data, opinions, legs, followed)
    quick = {name: rows[:: max(len(rows) // 200, 1)] for name, rows in records.held_out.items()}
    loss = task.make_loss(config, walkers_drawer(config.size, config.walkers_hidden_weight) if config.walkers else None)
    evaluate = task.make_evaluation(quick, records.image, config.size)
    make = task.make_batches(config, records.photographs, records.landmarks, records.image)
    threads = input_threads()
    with Prefetch(make, ahead=2 * threads, threads=threads) as batches:
        _fit("pose", preset, config, run, origin, model, loss, batches, evaluate, **read)


@app.command()
def gait(
    preset: Annotated[
        str, typer.Option(help="walkers | skeleton | distil | short | side | deep | original | modern | modern-sgd")
    ] = "walkers",
    run: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run is resumed.")] = Path("runs/gait"),
    init: Init = None,
    steps: Steps = None,
    walks: Annotated[Path | None, typer.Option(help="Followed walks, of python -m train walks.")] = None,
    real: Annotated[Path | None, typer.Option(help="Real walks, of python -m train real.")] = None,
    teacher: Annotated[Path | None, typer.Option(help='The run of preset "skeleton", for the preset "distil".')] = None,
) -> None:
    """Identification vectors: walkers drawn on the device, as a pose network would see them, or followed by one."""
    from train import gait as task
    from train.gait_config import GAIT_PRESETS
    from train.real import difference, read_real
    from train.teacher import take_over, teacher_of
    from train.walks import read_walks

    config = _preset(GAIT_PRESETS, preset, steps)
    if config.distil and teacher is None:
        raise ValueError("--teacher: this preset learns from one; name the folder of a run of --preset skeleton")
    if teacher is not None and not config.distil:
        raise ValueError("--teacher: this preset learns from none; --preset distil does")
    if walks is not None and not config.seen:
        readers = " | ".join(name for name, other in GAIT_PRESETS.items() if other.seen)
        raise ValueError(f"--walks: this preset reads none; these do: {readers}")
    if real is not None and not config.real:
        readers = " | ".join(name for name, other in GAIT_PRESETS.items() if other.real)
        raise ValueError(f"--real: this preset reads none; these do: {readers}")
    followed = None if walks is None else read_walks(walks)
    errors = task.learned_errors(config, followed)
    apart = None if real is None or followed is None else difference(read_real(real), followed)
    batches = task.make_batches(config, followed, errors, apart)
    read = {
        f"{name}_sha256": _checksum(f"--{name}", path)
        for name, path in (("walks", walks), ("real", real))
        if path is not None
    }
    model, origin = _begin(task, config, init)
    knowing = None
    if teacher is not None:
        knowing, read["teacher"] = teacher_of(config, teacher)
        take_over(model, knowing)
    loss, evaluate = task.make_loss(config, knowing), task.make_evaluation(config, errors)
    _fit("gait", preset, config, run, origin, model, loss, batches, evaluate, **read)


@app.command()
def silhouettes(
    preset: Annotated[str, typer.Option(help="usf | usf-frames | usf-held-out (tells by the gallery alone)")] = "usf",
    run: Annotated[Path, typer.Option(help="Folder of the run; an interrupted run is resumed.")] = Path(
        "runs/silhouettes"
    ),
    init: Init = None,
    steps: Steps = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights and batches, instead of the preset's.")] = None,
    data: Data = Path("data"),
) -> None:
    """Part vectors of aligned silhouettes: GaitBase on the gallery of the Gait Challenge; its probes are not opened.

    [bold]Example[/]
    python -m train silhouettes --data usf_gait17 --run runs/usf
    """
    from gaitnet.cli.datasets_sources import Name, folder_of
    from train import silhouettes as task
    from train.config import SILHOUETTES_PRESETS
    from train.data import Prefetch

    config = _chosen(_preset(SILHOUETTES_PRESETS, preset, steps), {"seed": seed})
    gallery = task.Gallery(folder_of(Name.USF, data), config)
    model, origin = _begin(task, config, init)
    loss, evaluate = task.make_loss(config), task.make_evaluation(config, gallery)
    with Prefetch(task.make_batches(config, gallery)) as batches:
        _fit("silhouettes", preset, config, run, origin, model, loss, batches, evaluate)


@app.command()
def walks(
    weights: Weights = Path("checkpoints"),
    to: Annotated[Path, typer.Option(help="The file to write.")] = Path("runs/walks.npz"),
    subjects: Annotated[int, typer.Option(min=2, help="How many of the gait task's people.")] = 800,
    count: Annotated[int, typer.Option("--walks", min=2, help="Walks of each.")] = 6,
    frames: Annotated[int, typer.Option(min=52, help="Length of a walk, 25 frames a second.")] = 52,
) -> None:
    """Render walks of the gait task's people and follow them with the pose network, for the presets that read such."""
    from gaitnet.cli.output import bar
    from train.gait_config import GAIT_PRESETS
    from train.walks import make_walks

    with bar("following walks", "walks") as progress:
        typer.echo(make_walks(weights, to, subjects, count, frames, GAIT_PRESETS["skeleton"].seed, progress))


@app.command()
def real(
    weights: Weights = Path("checkpoints"),
    data: Data = Path("data"),
    to: Annotated[Path, typer.Option(help="The file to write.")] = Path("runs/real.npz"),
) -> None:
    """How real people's joints differ from walkers', for the presets that read this: posture and swing, no names."""
    from gaitnet.cli.output import bar
    from train.real import make_real

    with bar("following real walks", "videos") as progress:
        typer.echo(make_real(weights, data / "kth_walking", to, progress))


@app.command()
def legs(
    weights: Weights = Path("checkpoints"),
    data: Data = Path("data"),
    to: Annotated[Path, typer.Option(help="The file to write.")] = Path("runs/legs.json"),
) -> None:
    """Which legs of KTH's reference landmarks are the right ones, told by whole walks: for train pose --legs."""
    from gaitnet.cli.output import bar
    from train.legs import make_legs

    with bar("following real walks", "videos") as progress:
        typer.echo(make_legs(weights, data / "kth_walking", to, progress))


@app.command()
def follow(
    weights: Weights = Path("checkpoints"),
    data: Data = Path("data"),
    to: Annotated[Path, typer.Option(help="The file to write.")] = Path("runs/followed.npz"),
) -> None:
    """Joints in KTH's frames that have no reference, of whoever is followed there: for train pose --followed."""
    from gaitnet.cli.output import bar
    from train.followed import make_followed

    with bar("following real walks", "videos") as progress:
        typer.echo(make_followed(weights, data / "kth_walking", to, progress))


@app.command()
def posture(
    weights: Weights = Path("checkpoints"),
    card: Annotated[Path | None, typer.Option(help="JSON with the model card's own words.")] = None,
) -> None:
    """Measure what changes from walk to walk of drawn walkers: the posture vectors beside GaitNN's."""
    from train.export import read_card
    from train.posture import make_posture

    make_posture(weights / "posture", card=read_card(card) if card else None)
    typer.echo(weights / "posture")


@app.command()
def strangers(
    weights: Weights = Path("checkpoints"),
) -> None:
    """Describe other walkers, to learn against and for the threshold of "unknown": strangers.npz beside the weights."""
    from gaitnet.cli.output import bar
    from train.strangers import make_strangers

    with bar("describing strangers", "walks") as progress:
        typer.echo(make_strangers(weights, progress=progress))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    to: Annotated[Path, typer.Argument(help="Folder of the checkpoint, such as checkpoints/pose.")],
    card: Annotated[
        Path | None, typer.Option(help="JSON with the model card's own words (data, licence, limits).")
    ] = None,
    average: Annotated[
        Path | None, typer.Option(help="Another run of the same network: the mean of both runs' weights.")
    ] = None,
) -> None:
    """A run's newest weights -> float16 arrays, config, card and checksum."""
    from train.export import export_run

    export_run(run, to, card, average)


def main() -> None:
    """Runs the command; failures end in one sentence and the exit code of `gaitnet`'s commands."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors of XLA are exceptions too; slow compiling is none
    keep_memory()
    try:
        app()
    except ValueError as error:
        # a checkpoint's error may list hundreds of names
        code, said = 2, getattr(error, "brief", str(error))
    except (FloatingPointError, OSError) as error:  # a loss without end, or a system that refuses
        code, said = 1, str(error)
    else:
        return
    print(f"train: {said}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()

"""`gaitnet evaluate pose`: the pose network against annotated photographs, reference landmarks and walkers."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gaitnet.cli.datasets_sources import Name, folder_of
from gaitnet.cli.describe import AsJson, Network, Weights, check_videos, load
from gaitnet.cli.evaluate_output import Output, Tables, deliver_tables, folder_for
from gaitnet.cli.evaluate_pose_legs import Legs
from gaitnet.cli.evaluate_pose_legs import tables as leg_tables
from gaitnet.cli.evaluate_pose_pictures import (
    Pictures,
    as_followed,
    film_of,
    followed,
    found_joints,
    of_landmarks,
    of_records,
    of_walkers,
)
from gaitnet.cli.evaluate_pose_releases import held_out, title
from gaitnet.cli.evaluate_pose_tally import Tally, plots, tables
from gaitnet.cli.evaluate_pose_worst import Worst, write_worst
from gaitnet.cli.output import bar, note

if TYPE_CHECKING:
    import numpy as np

    from gaitnet.evaluation.joints import Measure
    from gaitnet.recognizer import GaitRecognizer
    from humanpose.datasets.record import PoseRecord

    Found = Iterator[tuple[Pictures, np.ndarray]]

WALKERS = 20

LEAD = (
    "PCK@0.2: the share of joints found within a fifth of the torso, the longer visible diagonal from a shoulder "
    "to the opposite hip; people with neither diagonal are left out and counted. PCKh@0.5: within half the head "
    "segment, or half of what MPII tells as the head, without pelvis and thorax; PDJ: within shares of the diagonal "
    "from left shoulder to right hip. Distances are told as in the original's figures, in a picture of 299 pixels of "
    "which the person's box takes the 1.25th part, over the joints found; its own are over MPII and LSP together, or "
    "over Human3.6M's walking, and their means over all 16 joints, of which LSP and LSPET have 14 and landmarks 12. "
    "Crops are cut by the reference's joints, or by the box that MPII and Human3.6M tell; \u201cas followed\u201d, "
    "the people are followed in the video as by `gaitnet describe`, and whoever is not is missed. Whoever walks to "
    "the left is mirrored. BlazePose references are estimates, which now and then take one leg for the other; only "
    "their 12 limb joints count, and bodies that stand on their heads are left out and counted. Legs are told by "
    "knees and ankles together; over 200 references somebody looked at one by one: legs that are not the right ones "
    "are put right there, and joints that plainly lie beside the body do not count. A foot stands where its reference "
    "rests; the jitter is what its ankle departs from its own steady way. Intervals are 95 %, by bootstrap over "
    "people (films, for the clips and Human3.6M)."
)


class Decoding(StrEnum):
    """How a joint's place is read off its map."""

    subpixel = "subpixel"
    argmax = "argmax"


class Part(StrEnum):
    """Pictures to measure on."""

    lspet = "lspet"
    kth = "kth"
    clips = "clips"
    walkers = "walkers"
    lsp = "lsp"
    mpii = "mpii"
    human36m = "human36m"


USUAL = (Part.lspet, Part.kth, Part.clips, Part.walkers)
"""What is measured where nothing else is asked for."""

EXPECTED = {
    Part.lspet: "lspet/joints.mat",
    Part.kth: "person15_walking_d1_uncomp.reference.json and so on in kth or kth_walking",
    Part.clips: "clips/*.reference.json",
}
"""What is looked for under --root."""


def pose(
    root: Annotated[
        Path,
        typer.Option(
            help="Folder with lspet, kth (or kth_walking) and clips; what is missing is left out, with a note. lsp, "
            "mpii and human36m are measured where --only names them."
        ),
    ],
    every: Annotated[
        int,
        typer.Option(
            min=1,
            help="Only every so many-th photograph, frame or walker, for a quick look; people \u201cas followed\u201d "
            "are followed through every frame all the same.",
        ),
    ] = 1,
    only: Annotated[list[Part] | None, typer.Option(help="Only these pictures; can be repeated.")] = None,
    flip_test: Annotated[bool, typer.Option("--flip-test", help="Average with the mirrored picture's maps.")] = False,
    decoding: Annotated[
        Decoding | None, typer.Option(help="How joints are read off their maps.", show_default="the network's own way")
    ] = None,
    network: Network = None,
    weights: Weights = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Measure the joints: photographs held out of training, KTH persons held out, real clips, and rendered walkers.

    --only lsp, mpii or human36m: their own test or validation people, laid out as they were published.
    With --output also: plots of each joint, and the worst found people of each set, on a page and on contact sheets.

    [bold]Examples[/]
    gaitnet evaluate pose --root data --output results
    gaitnet evaluate pose --root data --only lspet --flip-test
    gaitnet evaluate pose --root data --only mpii --network my/pose --output results
    """
    if not root.is_dir():
        raise ValueError(f"--root: expected the folder of the data sets, got {root}, which is not a folder")
    folder_for(output)
    recognizer = load(weights, network, flip_test, None if decoding is None else decoding.value)
    tallies: dict[str, Tally] = {}
    legs: dict[str, Legs] = {}
    worst: dict[str, Worst] = {}
    everything = list(_sets(recognizer, root, every, only or []))  # so that what is missing is told before the work
    with bar("finding joints", "people") as progress:
        done = 0
        for name, joints, sets in everything:
            tallies[name], worst[name] = Tally(joints), Worst()
            for pictures, found in sets:
                errors = tallies[name].add(pictures, found)
                worst[name].add(pictures, found, errors)
                if pictures.records and pictures.records[0].frame is not None and not pictures.records[0].subject:
                    road = "films, as followed" if name.endswith("as followed") else "films"
                    for known in (name, road):
                        legs.setdefault(known, Legs()).add(pictures, found)
                done += len(pictures.owners)
                progress(done, None)
    if not done:
        raise ValueError(f"--root: of {' and '.join(tallies)} in {root} no picture can be read")
    found_legs, of_legs = leg_tables(_together_last(legs))
    options = [f"--weights {weights}"] * (weights is not None)
    options += [f"--every {every}"] * (every > 1) + [f"--only {part.value}" for part in only or []]
    options += [f"--network {network}"] * (network is not None)
    options += ["--flip-test"] * flip_test + ([f"--decoding {decoding.value}"] if decoding else [])
    command = " ".join([f"gaitnet evaluate pose --root {root}", *options])
    read = {"decoding": recognizer.pose.decoding, "flip_test": recognizer.pose.flip_test}
    footer = f"{command} (joints read by {read['decoding']}, with{'' if read['flip_test'] else 'out'} flip test)"
    page = Tables("pose", "Joints in pictures", LEAD, [*tables(tallies), *found_legs], [], footer)
    page.measures, page.facts = measures(tallies, of_legs), read
    if output is not None:
        page.plots = plots(tallies)
        page.files = write_worst(worst, output, footer)
    deliver_tables(page, output, as_json)


def _sets(
    recognizer: "GaitRecognizer", root: Path, every: int, only: Sequence[Part]
) -> "Iterator[tuple[str, Sequence[int], Found]]":
    """Name, joints that count, and the pictures of each set that is there with what is found in them.

    Raises ValueError where a set that `only` names is not there, or one that is there has nobody to measure or lacks a
    film.
    """
    from gaitnet.datasets.kth import VALIDATION_PERSONS
    from humanpose.datasets.lsp import LSPET_TRAINED
    from humanpose.datasets.places import is_there
    from humanpose.skeleton import INDEX, LIMB_JOINTS

    size, parts = recognizer.pose.size, only or USUAL

    def looked_at(sets: Iterator[Pictures]) -> "Found":
        return ((pictures, found_joints(recognizer, pictures)) for pictures in sets)

    everything = list(INDEX.values())
    # pelvis and thorax are no annotations of their own in LSP and LSPET
    joints = [joint for name, joint in INDEX.items() if name not in ("pelvis", "thorax")]
    if Part.lspet in parts:
        if is_there(folder_of(Name.LSPET, root) / "joints.mat"):
            people = held_out(Name.LSPET, root, every)
            yield f"LSPET from {LSPET_TRAINED + 1}", joints, looked_at(of_records(people, size))
        else:
            _tell_missing(Part.lspet, root, only)
    kth = folder_of(Name.KTH, root)
    references = [
        (Part.kth, f"KTH {' '.join(VALIDATION_PERSONS)}",
         [file for who in VALIDATION_PERSONS for file in sorted(kth.glob(f"person{who}_*.reference.json"))]),
        (Part.clips, "clips", sorted((root / "clips").glob("*.reference.json"))),
    ]  # fmt: skip
    for part, name, files in references:
        if part not in parts:
            continue
        films = [records for records in map(_references, files) if records]
        if films:
            check_videos([film_of(records[0]) for records in films])
            alone = (pictures for records in films for pictures in of_landmarks(records, size, every))
            yield name, LIMB_JOINTS, looked_at(alone)
            yield (
                f"{name}, as followed",
                LIMB_JOINTS,
                (as_followed(records, followed(recognizer, film_of(records[0]))) for records in films),
            )
        else:
            _tell_missing(part, root, only)
    for part in (Part.lsp, Part.mpii, Part.human36m):
        if part in parts:
            of = Name(part.value)
            records = held_out(of, root, every)
            yield title(of, records), joints if part is Part.lsp else everything, looked_at(of_records(records, size))
    if Part.walkers in parts:
        for name, side in (("walkers, side view", True), ("walkers, any view", False)):
            yield name, everything, looked_at(of_walkers(side, max(1, WALKERS // every), size))


def _tell_missing(part: Part, root: Path, only: Sequence[Part]) -> None:
    """Say that nothing of a part is there; ValueError where it was asked for."""
    missing = f"nothing of that is in {root}, where {EXPECTED[part]} is expected"
    if only:
        raise ValueError(f"--only {part.value}: {missing}")
    note(f"{part.value} is left out: {missing}")


def _references(file: Path) -> "list[PoseRecord]":
    """The references of a film of walkers; a body that BlazePose saw the wrong way up shows nothing to measure by."""
    from humanpose.datasets.landmarks import nobody_on_their_head, read_landmarks

    return nobody_on_their_head(read_landmarks(file))


def _together_last(legs: dict[str, Legs]) -> dict[str, Legs]:
    """Films of all sets below the sets; without them where there is one set alone."""
    alone = {name: one for name, one in legs.items() if not name.startswith("films")}
    return alone | ({name: one for name, one in legs.items() if name not in alone} if len(alone) > 2 else {})


def measures(tallies: dict[str, Tally], of_legs: "dict[str, list[Measure]]") -> tuple[list[str], list[list[object]]]:
    """Everything that was measured, one number a line: header and lines."""
    from gaitnet.evaluation.joints import MEASURES

    told = [(name, one) for name, tally in tallies.items() for one in tally.errors.measures()]
    told += [(name, one) for name, found in of_legs.items() for one in found if one.rate.count]
    return list(MEASURES), [[name, *one.cells()] for name, one in told]

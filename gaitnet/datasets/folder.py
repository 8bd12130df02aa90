"""Your own films: a folder for each person, and in it their walks, each a film or a folder of pictures."""

from pathlib import Path

from gaitnet.datasets.dropped import EMPTY, NAME, Dropped, hand_over, unusable
from gaitnet.datasets.frame_folder import frame_files, subfolders
from gaitnet.datasets.record import Sequence, require_unique
from gaitnet.evaluation.selection import canonical_name

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".ts", ".ogv", ".3gp")


def read_folder(root: Path, dropped: list[Dropped] | None = None) -> list[Sequence]:
    """Every `PERSON/WALK.mp4` and `PERSON/WALK/*.png`: the person is the folder's name, `sequence` the walk's.

    Condition "" and view None: nobody tells them. One walker is meant to be in each.

    Args:
        root: folder of the people's folders.
        dropped: is told what is left out; where None, a warning sums it up.

    Raises:
        ValueError: `root` is no folder or holds no walks; two walks of one name, such as a.mp4 and a.avi,
            or of names that an evaluation holds for one walk filmed twice, as 1 and 01, or Door and door.

    """
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"root: expected a folder of people's folders, got {root}, which is not a folder")
    walks: list[Sequence] = []
    out: list[Dropped] = []
    for path in sorted(root.iterdir()):
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            out.append(Dropped(NAME, str(path), "it lies in no person's folder"))
    for person in subfolders(root):
        for path in sorted(path for path in person.iterdir() if not path.name.startswith(".")):
            if path.is_dir():
                if frame_files(path, out):
                    walks.append(Sequence(person.name, "", "", None, path.name, path, kind="frames"))
                else:
                    out.append(Dropped(EMPTY, str(path), "a folder without numbered pictures"))
            elif path.suffix.lower() not in SUFFIXES:
                out.append(Dropped(NAME, str(path), f"expected a film that ends in {', '.join(SUFFIXES[:4])}, ..."))
            elif (bad := unusable(path)) is not None:
                out.append(bad)
            else:
                walks.append(Sequence(person.name, "", "", None, path.stem, path))
    if not walks:
        raise ValueError(f"root: expected films such as anna/door.mp4 in {root}, got none; make a folder a person")
    require_unique(walks)
    known: dict[tuple[str, str], Sequence] = {}
    for walk in walks:
        other = known.setdefault((walk.subject_id, canonical_name(walk.sequence)), walk)
        if other is not walk:
            raise ValueError(
                f"root: {other.path} and {walk.path} count as one walk, since capitals and leading zeros tell no walks "
                "apart; rename one of them"
            )
    hand_over(out, dropped, f"films in {root}")
    return walks

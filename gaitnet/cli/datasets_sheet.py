"""A contact sheet: people of a data set with their joints drawn, for somebody to look at."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from humanpose.datasets.record import PoseRecord

TILE, COLUMNS, CAPTION = 300, 5, 22
"""Side of a tile, tiles in a row, height of the line below it (pixels)."""

SHOWN, ODD = 20, 10
"""People spread over the data set, and people of whom something is odd."""

HIDDEN = 0.3
"""How solid a joint is drawn that is annotated behind something."""


def sheet_of(title: str, people: "Sequence[PoseRecord]", odd: "Sequence[tuple[PoseRecord, str]]" = ()) -> bytes:
    """A PNG of SHOWN of the `people`, evenly spread, and of the first ODD of the `odd` with what is odd.

    Right limbs are orange, left ones blue, a joint that is hidden is see-through; the box is grey. Pictures that cannot
    be read have an empty tile.

    Raises:
        ValueError: nobody is there to show.

    """
    import numpy as np

    from gaitnet.overlay import LEFT, RIGHT, lettering
    from humanpose.datasets.check import name_of

    if not people:
        raise ValueError("people: expected somebody whose picture can be read, got nobody")
    places = np.unique(np.linspace(0, len(people) - 1, min(SHOWN, len(people))).round().astype(int))
    chosen = [(people[place], name_of(people[place]), False) for place in places]
    chosen += [(person, f"{why}: {name_of(person)}", True) for person, why in odd[:ODD]]
    rows = -(-len(chosen) // COLUMNS)
    sheet = np.full((40 + rows * (TILE + CAPTION), COLUMNS * TILE, 3), 24, np.uint8)
    for text, x, colour in ((title, 8, (235, 238, 245)), ("right", -190, RIGHT), ("left", -90, LEFT)):
        write(sheet, lettering(text, 20, True), x % sheet.shape[1], 6, colour)
    for place, tile in _tiles([person for person, _, _ in chosen]):
        row, column = divmod(place, COLUMNS)
        top, left = 40 + row * (TILE + CAPTION), column * TILE
        sheet[top : top + TILE, left : left + TILE] = tile
    for place, (_, text, is_odd) in enumerate(chosen):
        row, column = divmod(place, COLUMNS)
        letters = caption(text)
        top = 40 + row * (TILE + CAPTION) + TILE
        write(sheet, letters, column * TILE + 4, top + 2, RIGHT if is_odd else (200, 205, 215))
    return png(sheet)


def _tiles(people: "Sequence[PoseRecord]") -> "list[tuple[int, np.ndarray]]":
    """Place in `people` and the picture about them, for all whose picture can be read."""
    import cv2
    import numpy as np

    from gaitnet.overlay import Seen, draw
    from humanpose.datasets.pictures import pictures_of
    from humanpose.preprocess import box_from_keypoints, crop, crop_affine, to_crop

    order = sorted(range(len(people)), key=lambda place: (str(people[place].path), people[place].frame or 0))
    shown, tiles = iter(order), []
    for together, picture, _ in pictures_of([people[place] for place in order]):
        for person in together:
            place = next(shown)
            if picture is None or not person.has_extent:
                continue
            finite = person.visible & np.isfinite(person.keypoints).all(-1)
            around = box_from_keypoints(np.where(finite[:, None], person.keypoints, 0), finite)
            reach = np.stack([around, person.box]) if finite.any() else person.box[None]
            box = np.concatenate([reach[:, :2].min(0), reach[:, 2:].max(0)])
            affine = crop_affine(box, (2 * TILE, 2 * TILE), 1.15)
            carried = to_crop(np.concatenate([person.keypoints, person.box.reshape(2, 2)]).astype(np.float64), affine)
            solid = np.where(finite, 1.0, 0.0)
            if person.hidden is not None:
                solid = np.where(finite & person.hidden, HIDDEN, solid)
            seen = Seen(carried[16:].ravel(), np.where(finite[:, None], carried[:16], 0), solid)
            drawn = draw(crop(picture, affine, (2 * TILE, 2 * TILE)), [seen])
            tiles.append((place, cv2.resize(drawn, (TILE, TILE), interpolation=cv2.INTER_AREA)))
    return tiles


def caption(text: str, width: int = TILE) -> "np.ndarray":
    """Letters that fit below a tile of that width; of a long name the end is kept, where its number stands."""
    from gaitnet.overlay import lettering

    letters = lettering(text, 12, False)
    while letters.shape[1] > width - 8:
        kept = len(text) * (width - 8) // letters.shape[1] - 1
        text = f"\u2026{text[-kept:]}"
        letters = lettering(text, 12, False)
    return letters


def write(canvas: "np.ndarray", letters: "np.ndarray", x: int, y: int, colour: tuple[int, int, int]) -> None:
    """Put letters of one colour on the sheet, their upper left corner at x, y."""
    import numpy as np

    patch = canvas[y : y + letters.shape[0], x : x + letters.shape[1]]
    cover = letters[: patch.shape[0], : patch.shape[1], None]
    patch[:] = (patch + cover * (np.array(colour) - patch)).round().astype(np.uint8)


def png(picture: "np.ndarray") -> bytes:
    """The file of an RGB picture; OSError where it cannot be made."""
    import cv2

    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise OSError("the contact sheet could not be encoded as PNG")
    return bytes(data)

"""Pictures of a page that its reader sorts by kind, without a script: radio buttons and style rules do it."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple


class Shown(NamedTuple):
    """A picture as JPEG bytes, what it shows, a line under it, and its place from 0 in each kind that it belongs to."""

    jpeg: bytes
    alt: str
    caption: str
    places: Mapping[int, int]


def gallery(kinds: Sequence[str], sections: Iterable[tuple[str, str, Sequence[Shown]]]) -> tuple[str, str]:
    """HTML and style rules of sections (heading, text, pictures) with one choice of kind above them all.

    The first kind is chosen at first. Of each section the pictures of the chosen kind are shown, in that kind's order.
    """
    parts, rules = [], []
    for number, kind in enumerate(kinds):
        chosen = " checked" if number == 0 else ""
        parts.append(
            f'<input class="kind" type="radio" name="kind" id="kind{number}"{chosen}>'
            f'<label class="kind" for="kind{number}">{escape(kind)}</label>'
        )
        rules.append(
            f"#kind{number}:checked~.shown figure.k{number}{{display:block;order:var(--k{number})}}"
            f"#kind{number}:checked+label{{background:var(--accent);color:var(--card)}}"
        )
    for heading, text, pictures in sections:
        figures = "".join(_figure(picture) for picture in pictures)
        parts.append(
            f"<h2>{escape(heading)}</h2><p>{escape(text)}</p>"
            f'<div class="shown" role="region" aria-label="{escape(heading)}">{figures}</div>'
        )
    return f'<div class="gallery">{"".join(parts)}</div>', _STYLE + "".join(rules)


_STYLE = (
    "input.kind{position:absolute;opacity:0}"
    "label.kind{display:inline-block;margin:.15rem .2rem;padding:.2rem .7rem;border:1px solid var(--line);"
    "border-radius:1rem;background:var(--card);cursor:pointer}"
    "input.kind:focus-visible+label{outline:3px solid var(--accent)}"
    ".shown{display:flex;flex-wrap:wrap;gap:.7rem;margin:1rem 0}"
    ".shown figure{display:none;margin:0;padding:.5rem}.shown figcaption{font-size:.78rem;max-width:13rem}"
)


def _figure(picture: Shown) -> str:
    classes = " ".join(f"k{kind}" for kind in picture.places)
    order = ";".join(f"--k{kind}:{place}" for kind, place in picture.places.items())
    data = base64.b64encode(picture.jpeg).decode("ascii")
    return (
        f'<figure class="{classes}" style="{order}"><img loading="lazy" alt="{escape(picture.alt)}" '
        f'src="data:image/jpeg;base64,{data}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
    )

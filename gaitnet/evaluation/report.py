"""A self-contained HTML page of results: every picture and video is inside it, and nothing is fetched from anywhere.

Made from top to bottom: each method adds a part and returns the page. All text is escaped. Readable on a phone, in
light and dark, by keyboard and by screen readers.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import numpy as np
from jaxtyping import UInt8

from gaitnet.evaluation.files import write_csv, write_json, write_whole
from gaitnet.evaluation.intervals import Rate
from gaitnet.evaluation.report_gallery import Shown, gallery

__all__ = ["LARGEST_VIDEO", "Page", "png_bytes", "write_csv", "write_json", "write_whole"]

LARGEST_VIDEO = 16_000_000
"""Bytes above which a video is named instead of embedded: browsers choke on larger data URIs."""

NOTHING = "\N{EN DASH}"
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class Page:
    """A page under construction.

    Args:
        title: its heading, also the window's title.
        lead: a sentence under it.
    """

    def __init__(self, title: str, lead: str = ""):
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]
        self._rules = ""
        if lead:
            self._parts.append(f'<p class="lead">{escape(lead)}</p>')

    def heading(self, text: str) -> Page:
        """Begin a section."""
        return self._add(f"<h2>{escape(text)}</h2>")

    def paragraph(self, text: str) -> Page:
        """Add plain text."""
        return self._add(f"<p>{escape(text)}</p>")

    def note(self, text: str, *, warning: bool = False) -> Page:
        """Add a sentence that must not be missed."""
        return self._add(f'<p class="note{" warning" if warning else ""}" role="note">{escape(text)}</p>')

    def preformatted(self, text: str, label: str = "text") -> Page:
        """Add text whose lines stay as they are: a command, or a protocol as it prints itself."""
        return self._add(f'<pre tabindex="0" role="region" aria-label="{escape(label)}">{escape(text)}</pre>')

    def tiles(self, tiles: Iterable[tuple[str, Rate | str, str]]) -> Page:
        """Add the few numbers that matter: (label, value, hint) each; a `Rate` brings its interval."""
        cells = []
        for label, value, hint in tiles:
            main, interval = _value_and_interval(value)
            below = " · ".join(part for part in (interval, hint) if part)
            cells.append(
                f'<div class="tile"><dt>{escape(label)}</dt><dd><div class="value">{escape(main)}</div>'
                f'<div class="hint">{escape(below)}</div></dd></div>'
            )
        return self._add(f'<dl class="tiles">{"".join(cells)}</dl>')

    def table(self, header: Sequence[str], lines: Iterable[Sequence[object]], *, caption: str) -> Page:
        """Add a table; the first column heads its lines.

        Cells may be text, numbers, None (a dash), or `Rate`, which shows its interval as text and as a bar from 0 to
        100 %. Put controls and chance in columns of their own beside the score.

        Raises:
            ValueError: a line is longer or shorter than the header.
        """
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
        body = []
        for line in lines:
            if len(line) != len(header):
                raise ValueError(f"lines: expected {len(header)} cells, got {len(line)} in {list(line)!r}")
            first, *rest = line
            cells = "".join(_cell(value) for value in rest)
            body.append(f'<tr><th scope="row">{escape(_text(first))}</th>{cells}</tr>')
        return self._add(
            f'<div class="table" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
            f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(body)}</tbody></table></div>"
        )

    def figure(self, picture: bytes | np.ndarray, *, alt: str, caption: str = "") -> Page:
        """Add one picture: PNG, JPEG or GIF bytes, or a uint8 array (see `png_bytes`); `alt` says what it shows."""
        return self._add(_figure(picture, alt, caption))

    def figures(self, pictures: Iterable[tuple[bytes | np.ndarray, str, str]]) -> Page:
        """Add pictures side by side where there is room: (picture, alt, caption) each."""
        return self._add(f'<div class="figures">{"".join(_figure(*picture) for picture in pictures)}</div>')

    def strip(self, pictures: Iterable[tuple[bytes | np.ndarray, str, str]], *, label: str) -> Page:
        """Add a row of small pictures that scrolls sideways: (picture, alt, caption) each."""
        row = "".join(_figure(*picture) for picture in pictures)
        return self._add(f'<div class="strip" tabindex="0" role="region" aria-label="{escape(label)}">{row}</div>')

    def gallery(self, kinds: Sequence[str], sections: Iterable[tuple[str, str, Sequence[Shown]]]) -> Page:
        """Add pictures to choose from by kind: (heading, text, pictures) each; see `report_gallery`."""
        part, self._rules = gallery(kinds, sections)
        return self._add(part)

    def video(
        self,
        path: Path,
        *,
        alt: str,
        caption: str = "",
        poster: bytes | np.ndarray | None = None,
        largest: int = LARGEST_VIDEO,
    ) -> Page:
        """Add an mp4 (H.264), embedded where it has at most `largest` bytes, else named by its file name.

        `poster` is the picture shown until it plays.

        Raises:
            ValueError: there is no such file.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"path: expected an mp4 video, got {path}, which is not a file")
        if path.stat().st_size > largest:
            size = f"{path.stat().st_size / 1e6:.0f} MB"
            return self.paragraph(f"{caption or alt}: see {path.name} beside this page ({size}, too large to embed).")
        source = _data_uri(path.read_bytes(), "video/mp4")
        cover = "" if poster is None else f' poster="{_picture_uri(poster)}"'
        return self._add(
            f'<figure><video controls muted loop playsinline preload="metadata" aria-label="{_alt(alt)}"{cover} '
            f'src="{source}"></video>{_caption(caption)}</figure>'
        )

    def link(self, name: str, text: str) -> Page:
        """Add a link to another page, which lies beside this one under the file name `name`."""
        return self._add(f'<p><a href="{escape(quote(name))}">{escape(text)}</a></p>')

    def footer(self, text: str) -> Page:
        """Add the last line: the command that made the page, the version, the data's terms."""
        return self._add(f"<footer>{escape(text)}</footer>")

    def html(self) -> str:
        """Return the whole page."""
        style = resources.files(__package__).joinpath("report.css").read_text("utf-8")
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            # Whatever slipped through the escaping could still load nothing and run nothing.
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; media-src data:; '
            "style-src 'unsafe-inline'\">"
            f"<title>{escape(self._title)}</title><style>{style}{self._rules}</style></head>\n<body><main>\n"
            + "\n".join(self._parts)
            + "\n</main></body></html>\n"
        )

    def write(self, path: Path) -> Path:
        """Write the page as a file, complete or not at all; OSError where that fails."""
        return write_whole(path, self.html())

    def _add(self, part: str) -> Page:
        self._parts.append(part)
        return self


def png_bytes(
    image: UInt8[np.ndarray, "height width channel"] | UInt8[np.ndarray, "height width"],
) -> bytes:
    """Encode RGB (height, width, 3) or grey (height, width), values 0..255, as PNG."""
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or not image.size:
        raise ValueError(f"image: expected shape (height, width, 3) or (height, width), got {image.shape}")
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, -1)
    filtered = np.pad(rows, [(0, 0), (1, 0)])  # every row begins with the number of its filter: none

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2 if image.ndim == 3 else 0, 0, 0, 0)
    return (
        _SIGNATURES[0][0]
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def _figure(picture: bytes | np.ndarray, alt: str, caption: str = "") -> str:
    return f'<figure><img alt="{_alt(alt)}" src="{_picture_uri(picture)}">{_caption(caption)}</figure>'


def _picture_uri(picture: bytes | np.ndarray) -> str:
    data = png_bytes(picture) if isinstance(picture, np.ndarray) else picture
    kinds = [kind for signature, kind in _SIGNATURES if data.startswith(signature)]
    if not kinds:
        raise ValueError("picture: expected PNG, JPEG or GIF bytes or a uint8 array, got bytes of another kind")
    return _data_uri(data, kinds[0])


def _alt(alt: str) -> str:
    if not alt.strip():
        raise ValueError("alt: expected a sentence that says what the picture shows, got nothing")
    return escape(alt)


def _caption(caption: str) -> str:
    return f"<figcaption>{escape(caption)}</figcaption>" if caption else ""


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _cell(value: object) -> str:
    if isinstance(value, Rate) and value.value == value.value:
        main, interval = _value_and_interval(value)
        gauge = ""
        if value.low == value.low:
            left, right = (100 * min(max(bound, 0.0), 1.0) for bound in (value.low, value.high))
            bar = f"left:{left:.1f}%;width:{max(right - left, 1.5):.1f}%"
            gauge = f'<span class="gauge" aria-hidden="true"><i style="{bar}"></i></span>'
        return f'<td>{escape(main)}<span class="interval">{escape(interval)}</span>{gauge}</td>'
    return f"<td{' class=text' if isinstance(value, str) and len(value) > 24 else ''}>{escape(_text(value))}</td>"


def _value_and_interval(value: Rate | str) -> tuple[str, str]:
    if not isinstance(value, Rate):
        return value, ""
    if value.value != value.value:
        return NOTHING, "not measured"
    bounds = "" if value.low != value.low else f"{100 * value.low:.1f} to {100 * value.high:.1f} %"
    return f"{100 * value.value:.1f} %", bounds


def _text(value: object) -> str:
    if value is None or (isinstance(value, (float, np.floating)) and value != value):
        return NOTHING
    if isinstance(value, (float, np.floating)):
        return f"{value:.3g}"
    return str(value)

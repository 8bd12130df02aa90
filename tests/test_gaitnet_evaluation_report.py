"""The page: self-contained, escaped, accessible; files appear whole or not at all; plots are pictures."""

import csv
import html.parser
import io
import json
import re
import struct
import zlib

import numpy as np
import pytest

from gaitnet.evaluation import files, metrics, pairs, plots, report
from gaitnet.evaluation.intervals import Rate, wilson_interval

NASTY = "<script>alert('x')</script>&\"é"


class Reader(html.parser.HTMLParser):
    """Collects tags and text, and minds that every tag is closed in order."""

    VOID = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(page):
    reader = Reader()
    reader.feed(page.html())
    assert reader.open == []
    return reader


def sample_page(tmp_path):
    video = tmp_path / "walk.mp4"
    video.write_bytes(b"not really a video")
    picture = np.zeros((4, 3, 3), np.uint8)
    return (
        report.Page(NASTY, NASTY)
        .tiles([(NASTY, wilson_interval(9, 10), NASTY), ("speed", "42 frames/s", "")])
        .note(NASTY, warning=True)
        .heading(NASTY)
        .paragraph(NASTY)
        .preformatted(NASTY, NASTY)
        .table([NASTY, "score", "control"], [[NASTY, wilson_interval(3, 4), NASTY], ["b", None, 0.25]], caption=NASTY)
        .figure(picture, alt=NASTY, caption=NASTY)
        .figures([(picture, "a", NASTY)])
        .strip([(picture, "b", NASTY)], label=NASTY)
        .video(video, alt=NASTY, caption=NASTY, poster=picture)
        .footer(NASTY)
    )


def test_everything_is_escaped_and_well_formed(tmp_path):
    page = sample_page(tmp_path)
    reader = read(page)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert "<script" not in page.html()
    assert reader.text.count(NASTY) >= 14


def test_nothing_is_fetched(tmp_path):
    page = sample_page(tmp_path)
    for _, attributes in read(page).tags:
        for name in ("src", "href", "poster", "srcset", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"url\(|@import|https?://", page.html())
    assert "default-src 'none'" in page.html()


def test_pictures_and_tables_are_described(tmp_path):
    tags = read(sample_page(tmp_path)).tags
    assert all(attributes.get("alt") for tag, attributes in tags if tag == "img")
    assert any(tag == "video" and attributes["aria-label"] == NASTY for tag, attributes in tags)
    assert {attributes["scope"] for tag, attributes in tags if tag == "th"} == {"col", "row"}
    assert sum(tag == "caption" for tag, _ in tags) == sum(tag == "table" for tag, _ in tags)
    assert ("html", {"lang": "en"}) in tags


def test_intervals_stand_beside_the_score():
    rate = Rate(0.5, 0.25, 0.75, 10, 5)
    text = (
        report.Page("t").table(["a", "b"], [["x", rate], ["y", Rate(np.nan, np.nan, np.nan, 0, 0)]], caption="c").html()
    )
    assert "50.0 %" in text
    assert "25.0 to 75.0 %" in text
    assert "left:25.0%;width:50.0%" in text
    assert "not measured" in text


def test_large_videos_are_named_not_embedded(tmp_path):
    video = tmp_path / "long walk.mp4"
    video.write_bytes(bytes(1000))
    text = report.Page("t").video(video, alt="a walk", largest=999).html()
    assert "<video" not in text
    assert "long walk.mp4" in text


def test_page_refuses_what_it_cannot_show(tmp_path):
    page = report.Page("t")
    with pytest.raises(ValueError, match="alt: expected"):
        page.figure(np.zeros((2, 2), np.uint8), alt=" ")
    with pytest.raises(ValueError, match="PNG, JPEG or GIF"):
        page.figure(b"BM", alt="a bitmap")
    with pytest.raises(ValueError, match="expected 2 cells, got 3"):
        page.table(["a", "b"], [[1, 2, 3]], caption="c")
    with pytest.raises(ValueError, match="not a file"):
        page.video(tmp_path / "none.mp4", alt="x")
    with pytest.raises(ValueError, match="expected shape"):
        report.png_bytes(np.zeros((2, 2, 4), np.uint8))


@pytest.mark.parametrize("shape", [(3, 5, 3), (7, 2)])
def test_png_decodes_to_the_same_pixels(shape):
    from matplotlib.image import imread

    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    decoded = imread(io.BytesIO(report.png_bytes(image)))
    np.testing.assert_array_equal(np.round(255 * decoded[..., :3]).astype(np.uint8).reshape(shape), image)


def png_size(data):
    """(width, height), after checking every chunk's checksum."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    place, size = 8, None
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + body)
        size = struct.unpack(">II", body[:8]) if kind == b"IHDR" else size
        place += 12 + length
    return size


def test_plots_are_pictures():
    rng = np.random.default_rng(0)
    subjects = np.array([f"${index}_" for index in range(5)])  # names that would be broken mathematics
    probe_ids = np.repeat(subjects, 3)
    scores = rng.normal(size=(15, 5)) + 2 * (probe_ids[:, None] == subjects)
    scores[4] = np.nan
    mated, nonmated = pairs.mated_and_nonmated(scores, probe_ids, subjects)
    drawn = [
        plots.cmc_plot({"$a": metrics.cmc(scores, probe_ids, subjects), "b": np.ones(3)}, title="$x_"),
        plots.det_plot({"a_$": pairs.det(mated, nonmated)}, title="b"),
        plots.score_histogram(mated, nonmated, threshold=0.5),
        plots.score_matrix_plot(scores, probe_ids, subjects, title="$"),
        plots.score_matrix_plot(np.full((2, 5), np.nan), probe_ids[:2], subjects),
    ]
    for data in drawn:
        width, height = png_size(data)
        assert 600 <= width <= 2000
        assert 400 <= height <= 1500
    assert len(set(drawn)) == len(drawn)


def test_csv_round_trip(tmp_path):
    path = files.write_csv(
        tmp_path / "a.csv", ["name", "score"], [['x, "y"', np.float64(0.5)], ["é", None], ["n", np.nan]]
    )
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["name", "score"], ['x, "y"', "0.5"], ["é", ""], ["n", ""]]


def test_json_is_strict_json(tmp_path):
    content = {
        "a": np.float32(0.5),
        "b": [np.nan, np.inf, np.int64(3)],
        "c": np.eye(2),
        "d": wilson_interval(1, 2),
        5: tmp_path,
    }
    read_back = json.loads(files.write_json(tmp_path / "a.json", content).read_text(), parse_constant=pytest.fail)
    assert read_back["a"] == 0.5
    assert read_back["b"] == [None, None, 3]
    assert read_back["c"] == [[1.0, 0.0], [0.0, 1.0]]
    assert read_back["d"]["value"] == 0.5
    assert read_back["5"] == str(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = files.write_whole(tmp_path / "page.html", "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        report.Page("new").write(path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        files.write_whole(tmp_path / "none" / "a.html", "x")


def test_files_that_belong_together_appear_together_or_not_at_all(tmp_path):
    (tmp_path / "b.json").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_together({tmp_path / "a.npz": b"a", tmp_path / "b.json": "b"})
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]
    (tmp_path / "b.json").rmdir()
    written = files.write_together({tmp_path / "a.npz": b"a", tmp_path / "b.json": "b"})
    assert [path.read_bytes() for path in written] == [b"a", b"b"]


def test_long_files_are_written_piece_by_piece(tmp_path):
    """As they are written whole; only the whole mapping's own values may be iterators."""
    items = [{"name": "a\nb\u2028", "at": [1, 2.5, None]}, {}, [], "c"]
    for content in ({}, {"a": items, "b": {"c": [1]}, "d": [], "e": np.float64("nan")}):
        pieces = {key: iter(value) if isinstance(value, list) else value for key, value in content.items()}
        assert "".join(files.json_pieces(pieces)) == files.json_text(content)
    lines = [(1, None), ("a,b", float("nan"))]
    (path,) = files.write_together({tmp_path / "a.csv": files.csv_pieces(("x", "y"), iter(lines))})
    assert path.read_bytes().decode() == files.csv_text(("x", "y"), lines) == 'x,y\r\n1,\r\n"a,b",\r\n'


def test_bars_without_an_interval_keep_their_numbers():
    """As of a set with one person alone; a label at no height would be left out, with a warning."""
    with_none = plots.bars_plot({"knee": (3.0, np.nan, np.nan), "mean": (4.0, np.nan, np.nan)}, unit="px")
    assert with_none == plots.bars_plot({"knee": (3.0, 3.0, 3.0), "mean": (4.0, 4.0, 4.0)}, unit="px")


def test_a_page_links_to_its_neighbours():
    page = report.Page("t").link('a "b".html', NASTY).html()
    assert '<p><a href="a%20%22b%22.html">' in page
    assert NASTY not in page

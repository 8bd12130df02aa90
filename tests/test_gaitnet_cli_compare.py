"""Two results folders compared: pairs of searches, the same persons redrawn for both, and what cannot be compared."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from gaitnet.cli.evaluate_output import Outcome, searches, summary
from gaitnet.cli.main import app
from gaitnet.evaluation import run_files
from gaitnet.evaluation.comparison import compare, identification_curve, read_run
from gaitnet.evaluation.distances import nearest_by_parts
from gaitnet.evaluation.files import write_csv, write_json
from gaitnet.evaluation.protocols import CASIA_B, KTH, Sample, evaluate

PEOPLE = [f"{number:02d}" for number in range(1, 13)]


def kth_table():
    return [
        Sample(person, "CL" if place == "d3" else "NM", place, 90.0, str(number))
        for person in PEOPLE
        for place in ("d1", "d3", "d4")
        for number in (1, 2, 3, 4)
        if (person, place) != ("12", "d1")
    ]


def casia_table():
    walks = [f"nm-{number:02d}" for number in range(1, 7)]
    return [Sample(p, "NM", "", view, walk, "test") for p in PEOPLE for walk in walks for view in (0.0, 90.0)]


def vectors_of(samples, noise, seed):
    means = np.random.default_rng(0).normal(size=(len(PEOPLE), 6))
    rng = np.random.default_rng(seed)
    return np.stack([means[PEOPLE.index(sample.subject_id)] + noise * rng.normal(size=6) for sample in samples])


def run(folder, protocol=KTH, samples=None, noise=1.0, seed=1, methods=("gait", "shuffled"), name="kth"):
    """A results folder as `gaitnet evaluate` writes it, and the first method's result."""
    folder.mkdir(exist_ok=True)
    samples = samples or kth_table()
    results = {
        method: evaluate(
            protocol, samples, vectors_of(samples, noise + number, seed + number), nearest_by_parts(1), resamples=50
        )
        for number, method in enumerate(methods)
    }
    outcome = Outcome(name, "KTH", "lead", results)  # `deliver` writes the same and draws a page: slowly
    write_json(folder / f"{name}.json", summary(outcome))
    write_csv(folder / f"{name}.csv", *searches(outcome))
    return next(iter(results.values()))


def good(*arguments):
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


def bad(*arguments):
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert done.exit_code == 2, done.output
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_rates_are_the_runs_own_and_differences_pair_the_searches(tmp_path):
    results = [run(tmp_path / "a"), run(tmp_path / "b", noise=0.3, seed=9)]
    found = compare(read_run(tmp_path / "a"), read_run(tmp_path / "b"), resamples=300, seed=4)
    assert [(each.row, each.method, each.measure) for each in found[:3]] == [
        ("d1 within", "gait", "rank-1"), ("d1 within", "gait", "rank-5"), ("d1 to d4", "gait", "rank-1"),
    ]  # fmt: skip
    first = next(each for each in found if (each.row, each.method) == ("d1 to d4", "gait"))
    one, other = (result.row("d1 to d4") for result in results)
    assert (first.first.value, first.second.value) == pytest.approx((one.rank_1.value, other.rank_1.value))
    assert first.first.count == 44  # the four walks of person 12, who is not enrolled, are no misses
    hits = [
        {(s.subject_id, s.sequence): s.correct for s in result.searches if s.row == "d1 to d4" and s.mated}
        for result in results
    ]
    people = sorted({person for person, _ in hits[0]})
    each = np.array([[hits[1][p, w] - int(hits[0][p, w]) for w in "1234"] for p in people]).mean(axis=1)
    weights = np.random.default_rng(4).multinomial(len(people), np.full(len(people), 1 / len(people)), size=300)
    assert first.difference.value == pytest.approx(each.mean())
    expected = np.quantile(weights @ each / len(people), [0.025, 0.975])
    assert (first.difference.low, first.difference.high) == pytest.approx(tuple(expected))
    assert first.difference.value > 0


def test_views_are_averaged_as_in_the_runs(tmp_path):
    protocol = replace(CASIA_B, rows=CASIA_B.rows[:1])
    results = [
        run(tmp_path / name, protocol, casia_table(), noise, 3, ("gait",), "casia-b")
        for name, noise in (("a", 1.0), ("b", 0.7))
    ]
    (rank_1, _) = compare(read_run(tmp_path / "a"), read_run(tmp_path / "b"), resamples=20)
    assert rank_1.first.value == pytest.approx(results[0].rows[0].rank_1.value)
    assert rank_1.second.value == pytest.approx(results[1].rows[0].rank_1.value)


def test_a_run_and_itself_do_not_differ(tmp_path):
    run(tmp_path / "a")
    for each in compare(read_run(tmp_path / "a"), read_run(tmp_path / "a"), resamples=50):
        assert (each.difference.value, each.difference.low, each.difference.high) == (0, 0, 0)


def test_command_tells_and_writes(tmp_path):
    run(tmp_path / "a", noise=2.0)
    run(tmp_path / "b", noise=0.1, seed=9)
    told = good(tmp_path / "a", tmp_path / "b", "--output", tmp_path / "out")
    assert "second better" in told
    document = json.loads((tmp_path / "out" / "comparison-kth.json").read_text())
    assert document["protocol"] == "KTH walking"
    assert {"rank-1", "rank-5"} == {each["measure"] for each in document["differences"]}
    page = (tmp_path / "out" / "comparison-kth.html").read_text()
    assert "second better" in page
    assert page.count("data:image/png") == 3
    again = json.loads(good(tmp_path / "b", tmp_path / "a", "--json"))
    assert again["differences"][0]["verdict"] == "first better"
    assert again["differences"][0]["difference"]["value"] == -document["differences"][0]["difference"]["value"]


def test_curve_counts_within_rank(tmp_path):
    result = run(tmp_path / "a")
    curve = identification_curve(read_run(tmp_path / "a").methods["gait"], "d1 to d3")
    row = result.row("d1 to d3")
    assert (curve[0], curve[4]) == pytest.approx((row.rank_1.value, row.rank_5.value))
    assert (np.diff(curve) >= 0).all()


def test_methods_of_other_names_are_paired_first_with_first(tmp_path):
    run(tmp_path / "a", methods=("GaitNN",))
    run(tmp_path / "b", methods=("GaitBase", "shuffled"))
    found = compare(read_run(tmp_path / "a"), read_run(tmp_path / "b"), resamples=20)
    assert {each.method for each in found} == {"GaitNN / GaitBase"}


def test_what_cannot_be_compared_is_refused_in_one_sentence(tmp_path):
    run(tmp_path / "a")
    others = {
        "casia": {"protocol": replace(CASIA_B, rows=CASIA_B.rows[:1]), "samples": casia_table()},
        "rules": {"protocol": replace(KTH, distractors=False)},
        "fewer": {"samples": [sample for sample in kth_table() if sample.subject_id != "03"]},
        "enrolled": {"samples": [s for s in kth_table() if (s.subject_id, s.session, s.sequence) not in (
            ("03", "d1", "1"), ("03", "d1", "2"))]},
    }  # fmt: skip
    sentences = {"casia": "KTH walking and CASIA-B", "rules": "by different rules", "fewer": "the same probes",
                 "enrolled": "galleries that differ"}  # fmt: skip
    for name, changes in others.items():
        run(tmp_path / name, **changes)
        assert sentences[name] in bad(tmp_path / "a", tmp_path / name)


def test_a_gallery_of_other_persons_is_another_even_where_the_searches_are_the_same(tmp_path):
    crowd = [Sample(f"x{number}", "NM", "d1", 90.0, "1") for number in range(3)]
    run(tmp_path / "a", noise=0.2, methods=("gait",))
    for name, (count, lost) in {"b": (3, 0), "c": (0, 1)}.items():
        samples = [*kth_table(), *crowd[:count]]
        vectors = np.concatenate([vectors_of(kth_table(), 0.2, 1), np.full((count, 6), 50.0)])
        vectors[[sample.subject_id == "03" and lost == 1 for sample in samples]] = np.nan  # enrolled, not described
        result = evaluate(KTH, samples, vectors, nearest_by_parts(1), resamples=20)
        (tmp_path / name).mkdir()
        outcome = Outcome("kth", "KTH", "lead", {"gait": result})
        write_json(tmp_path / name / "kth.json", summary(outcome))
        write_csv(tmp_path / name / "kth.csv", *searches(outcome))
    told = bad(tmp_path / "a", tmp_path / "b")
    assert "11 persons to choose from" in told
    assert "14 in" in told
    good(tmp_path / "a", tmp_path / "c")


def test_methods_of_the_table_that_the_document_lacks_are_refused(tmp_path):
    run(tmp_path / "a", methods=("gait",))
    table = tmp_path / "a" / "kth.csv"
    table.write_text(table.read_text().replace("gait,", "other,"))
    assert "got gait and other" in bad(tmp_path / "a", tmp_path / "a")


def test_folders_without_results_are_refused(tmp_path):
    run(tmp_path / "a")
    assert "check the path" in bad(tmp_path / "a", tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "got none" in bad(empty, tmp_path / "a")
    for text in ("no JSON", "[]", '{"methods": {}}', '{"methods": {"gait": {"protocol": 1}}}'):
        (empty / "kth.json").write_text(text)
        (empty / "kth.csv").write_text("method\n")
        assert "got none" in bad(tmp_path / "a", empty)
    run(tmp_path / "a", name="cmu")
    assert "--evaluation" in bad(tmp_path / "a", tmp_path / "a")
    good(tmp_path / "a", tmp_path / "a", "--evaluation", "cmu")
    (tmp_path / "a" / "cmu.csv").write_text("method,row\ngait,d1\n")
    assert "without condition" in bad(tmp_path / "a", tmp_path / "a", "--evaluation", "cmu")
    assert "nobody.json" in bad(tmp_path / "a", tmp_path / "a", "--evaluation", "nobody")


def test_tables_that_are_damaged_are_refused_in_one_sentence(tmp_path):
    run(tmp_path / "a", methods=("gait",))
    table = tmp_path / "a" / "kth.csv"
    whole = table.read_text()
    lines = whole.splitlines(keepends=True)
    odd = {
        "field larger than": whole + "x" * 140_000,
        "number as view": whole.replace(",90.0,", ",abc,", 1),
        "number as gallery_view": "".join([lines[0], *lines[1:]]).replace(",90.0,1,,", ",90.0,1,abc,", 1),
        "number as rank": "method," + ",".join(lines[0].split(",")[1:]) + ",".join(["gait"] + ["x"] * 20),
    }
    for words, text in odd.items():
        assert text != whole
        table.write_text(text)
        assert words in bad(tmp_path / "a", tmp_path / "a")
    table.write_bytes(whole.encode() + b"\xff\xfe")
    assert "expected UTF-8" in bad(tmp_path / "a", tmp_path / "a")


def test_what_is_too_long_is_not_read(tmp_path, monkeypatch):
    run(tmp_path / "a", methods=("gait",))
    for name, words in (("LONGEST_TABLE", "at most 100 bytes"), ("LONGEST_JSON", "got none")):
        with monkeypatch.context() as patch:
            patch.setattr(run_files, name, 100)
            assert words in bad(tmp_path / "a", tmp_path / "a")


def test_other_things_called_json_are_passed_over_and_alone_are_no_run(tmp_path):
    run(tmp_path / "a", methods=("gait",))
    for folder in (tmp_path / "a", tmp_path / "alone"):
        folder.mkdir(exist_ok=True)
        (folder / "a.json").mkdir()
        os.mkfifo(folder / "x.json")
        (folder / "deep.json").write_text("[" * 200_000)
        (folder / "bytes.json").write_bytes(b'{"methods": "\xff"}')
        (folder / "huge.json").write_text('{"methods": {"m": {"protocol": "", "protocol_text": "", "rows": '
                                          '[{"name": "r", "gallery_subjects": 1e999}]}}}')  # fmt: skip
        (folder / "gone.json").symlink_to(tmp_path / "nowhere")
        for name in ("a", "x", "deep", "bytes", "huge", "gone"):
            (folder / f"{name}.csv").write_text("method\n")
    good(tmp_path / "a", tmp_path / "a")
    assert "got none" in bad(tmp_path / "alone", tmp_path / "a")
    (tmp_path / "a" / "kth.csv").unlink()
    os.mkfifo(tmp_path / "a" / "kth.csv")
    assert "got kth" in bad(tmp_path / "a", tmp_path / "a")

"""The page of a protocol's results: what stands on it, and what is left off where it would say nothing."""

import base64
import re

import numpy as np
import pytest

from gaitnet.cli.evaluate_output import Outcome, summary
from gaitnet.cli.evaluate_page import bits, result_page
from gaitnet.evaluation.distances import nearest_by_parts
from gaitnet.evaluation.intervals import Rate
from gaitnet.evaluation.protocols import UCALGARY, USF, Sample, evaluate


def result(people=6, protocol=UCALGARY, stranger=True, sessions=("",)):
    names = [f"{number:02d}" for number in range(1, people + 1)]
    samples = [
        Sample(name, "NM", session, 0.0, str(run)) for name in names for session in sessions for run in range(1, 7)
    ]
    if stranger:
        samples = [sample for sample in samples if sample.subject_id != "01" or sample.sequence not in ("1",)]
    rng = np.random.default_rng(0)
    means = rng.normal(size=(people, 4))
    vectors = np.stack([means[int(sample.subject_id) - 1] + 0.3 * rng.normal(size=4) for sample in samples])
    return evaluate(protocol, samples, vectors, nearest_by_parts(1), resamples=30)


@pytest.fixture(scope="module")
def page():
    found = {"gait": result(), "another": result()}
    return result_page("UCalgary", "lead", found, notes=["look here"], footer="how").html()


def test_every_curve_is_there_for_every_row(page):
    for name in ("CMC, every method", "DET, every method", "Tippett, gait", "ECE, gait", "the first method"):
        assert page.count(name) == 3, name
    pictures = re.findall(r'data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 15
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)


def test_tables_tell_rates_open_set_and_evidence(page):
    for text in ("missed (FNIR) at FPIR 1 %", "Cllr (PAV)", "false match rate", "TAR at FMR 1 %", "look here",
                 "2 searches for persons who are not enrolled", "open-set trials (01)"):  # fmt: skip
        assert text in page, text
    assert "single samples" not in page


def test_summary_has_evidence_or_null():
    document = summary(Outcome("x", "x", "x", {"gait": result(), "few": result(3, stranger=False)}))
    evidence = {name: [row["evidence"] for row in each["rows"]] for name, each in document["methods"].items()}
    assert all(0 <= one["cllr"]["value"] < 2 and one["pairs"][0] > 0 for one in evidence["gait"])
    assert evidence["few"] == [None] * 3


def test_where_people_are_too_few_evidence_is_left_off():
    html = result_page("x", "", {"gait": result(3, stranger=False)}).html()
    assert "CMC" in html
    for name in ("Tippett", "Cllr", "FNIR"):
        assert name not in html


def test_one_decision_a_person_shows_single_samples_too():
    found = result(protocol=USF.with_rows_of([Sample("1", session="gallery"), Sample("1", session="A")]),
                   stranger=False, sessions=("gallery", "A"))  # fmt: skip
    assert "rank-1, single samples" in result_page("x", "", {"gait": found}).html()


def test_a_cost_is_told_in_bits():
    assert bits(Rate(0.25, 0.1, 0.5, 9, 3)) == "0.250 [0.100, 0.500]"
    assert bits(Rate(0.25, np.nan, np.nan, 9, 1)) == "0.250"

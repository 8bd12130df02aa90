"""Every benchmark can at least be begun: it is imported, explains itself, and stands in `make help` with its line."""

import ast
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_benchmark_prints_its_help(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(script), run_name="__main__")
    assert done.value.code == 0
    assert script.name in capsys.readouterr().out


def test_the_input_of_the_pose_task_leaves_no_crops_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = str(ROOT / "benchmarks" / "pose_input.py")
    monkeypatch.setattr(sys, "argv", [script, "--preset", "human36m", "--data", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(script, run_name="__main__")
    assert done.value.code == 2
    assert "is not a folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_make_help_lists_every_benchmark_with_its_line():
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = dict(re.findall(r"^  (benchmarks/\S+) +(\S.*)$", told, re.MULTILINE))
    said = {script: ast.get_docstring(ast.parse(script.read_text())).splitlines()[0] for script in SCRIPTS}
    assert listed == {f"benchmarks/{script.name}": line for script, line in said.items()}
    assert len(listed) > 5

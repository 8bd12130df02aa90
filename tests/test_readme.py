"""What the README tells people to type, and what ships beside the code, belong together."""

import re
from pathlib import Path

import numpy as np
import pytest
from stand_ins import bad, film, good

from gaitnet.identification.search import load_yardstick
from gaitnet.recognizer import GaitRecognizer
from humanpose import checkpoint

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "docs").glob("*.md")))


def test_the_ten_lines_of_python_run(place, monkeypatch, capsys):
    (code,) = [one for one in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "GaitRecognizer" in one]
    monkeypatch.setattr(checkpoint, "find", lambda name: place.parent / "weights" / name)
    for name, shown in (("anna", "anna"), ("ben", "ben"), ("door", "anna+far+carl")):
        film(place / f"{shown}.mp4").rename(place / f"{name}.mp4") if name == shown else film(place / f"{shown}.mp4")
    exec(code.replace("door.mp4", "anna+far+carl.mp4"), {})
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "Anna"
    assert second == "too small"
    assert third.startswith("unknown, most like")


def commands(text: str) -> set[str]:
    """The commands of `gaitnet` that a text names."""
    return set(re.findall(r"\bgaitnet ((?:gallery|walkers|evaluate|datasets) [a-z]+(?:-[a-z]+)*|[a-z]+)\b", text))


def test_every_command_that_the_documents_name_is_there():
    text = README + DOCUMENTS
    named = commands("\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)) + " ".join(re.findall("`.*?`", text)))
    assert len(named) > 10
    for command in sorted(named):
        assert "Usage" in good(*command.split(), "--help"), command


def test_shipped_weights_belong_together():
    """The strangers of the threshold were described by these very networks; all is small and in float16."""
    recognizer = GaitRecognizer.load()
    strangers = load_yardstick(checkpoint.find("gait"), recognizer.identity)
    assert strangers.vectors.shape[1] == recognizer.gait.size
    for file in (ROOT / "checkpoints").rglob("*.npz"):
        with np.load(file, allow_pickle=False) as stored:
            kinds = {str(stored[name].dtype) for name in stored.files}
        assert not kinds & {"float32", "float64"}, file
    size = sum(file.stat().st_size for file in (ROOT / "checkpoints").rglob("*") if file.is_file())
    assert size < 25e6


@pytest.mark.parametrize("name", [folder.name for folder in (ROOT / "checkpoints").iterdir() if folder.is_dir()])
def test_a_card_tells_commands_that_there_are(name):
    """What a card says of its training can be done with this code: its preset exists and takes those settings."""
    from train import config, gait_config
    from train.posture import PostureConfig

    manifest = checkpoint.load(checkpoint.find(name))[1]
    if name == "posture":  # measured, not trained: its settings are its config
        assert set(manifest["config"]) >= set(PostureConfig.__dataclass_fields__)
        return
    training = manifest["card"]["training"]
    presets = getattr(gait_config if training["task"] == "gait" else config, f"{training['task'].upper()}_PRESETS")
    assert training["preset"] in presets
    known = set(presets[training["preset"]].__dataclass_fields__)
    extra = {"task", "preset", "init", "step", "walks_sha256", "real_sha256", "teacher", "trunk"}
    extra |= {"opinions_sha256", "legs_sha256", "followed_sha256", "widened", "averaged_with"}
    assert set(training) - known <= extra


def test_nobody_is_called_unknown(place):
    film(place / "anna.mp4")
    assert "the answer for those who are not enrolled" in bad("enroll", "Unknown", "anna.mp4")

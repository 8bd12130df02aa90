"""What `python -m train` says where it cannot go on."""

import json

import numpy as np
import pytest
from test_train_pose_presets import train

from humanpose import checkpoint


def test_a_checkpoint_of_another_network_is_told_in_a_few_words(tmp_path, monkeypatch, capsys):
    """Every array of the network is missing, of which there are hundreds."""
    checkpoint.save(tmp_path / "weights", {"a": np.zeros(3)}, {}, {}, "MobilePose")
    command = ("pose", "--preset", "walkers", "--init", tmp_path / "weights", "--run", tmp_path / "run")
    said = train(monkeypatch, capsys, *command, code=2)
    assert said.startswith("train: arrays do not fit MobilePose in ")
    assert "unexpected: a (3,)" in said
    assert " more" in said
    assert len(said) < 600
    assert said.count("\n") == 1


SETTINGS = {"task": "pose", "preset": "lspet", "optimizer": {}, "steps": 1}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task": None}, "names no task"),
        ({"preset": None}, "names no preset"),
        ({"task": "walk"}, "unknown task 'walk'"),
        ({"optimizer": {"nesterov": 0.9}}, "unexpected keyword argument 'nesterov'"),
        ({"optimizer": {"learning_rate": "x"}}, "this version cannot"),
        ({"network": 3}, "network: expected"),
        ({"height": "high"}, "this version cannot"),
    ],
)
def test_runs_that_cannot_be_exported_are_told(tmp_path, monkeypatch, capsys, changes, says):
    settings = {name: value for name, value in {**SETTINGS, **changes}.items() if value is not None}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(settings))
    said = train(monkeypatch, capsys, "export", tmp_path / "run", tmp_path / "to", code=2)
    assert said.startswith("train: ")
    assert says in said
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "is not there"), ("{", "cannot be read as JSON"), ('["MIT"]', "must hold a JSON object")],
)
def test_cards_that_are_none_are_told(tmp_path, monkeypatch, capsys, content, says):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(SETTINGS))
    card = tmp_path / "card.json"
    if content is not None:
        card.write_text(content)
    said = train(monkeypatch, capsys, "export", tmp_path / "run", tmp_path / "to", "--card", card, code=2)
    assert said.startswith(f"train: --card: {'expected a file, got ' * (content is None)}{card}")
    assert says in said

"""TRL is run and watched; where it is not installed that is said."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from training_rows import pair

from character.config import TrainConfig
from character.errors import InputError, MissingExtraError
from character.training.preparing import write_training
from character.training.running import last_checkpoint, train

WITHOUT_TRL = importlib.util.find_spec("trl") is None


@pytest.fixture
def training(write_rows, model):
    rows = [pair(number, chosen="Go slowly.", rejected="Hurry up!!") for number in range(20)]
    return write_training(
        "dpo", write_rows(train=rows).parent, TrainConfig(model=str(model), values={"use_peft": False})
    ).folder


def test_starting_the_command_line_imports_no_trainer():
    code = (
        "import sys; from character.cli import cli; c = cli.make_context('character', ['train', '--help'], "
        "resilient_parsing=True); cli.get_command(c, 'train'); "
        "print(*{'torch', 'trl', 'transformers', 'datasets', 'dspy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_missing_extra_or_a_grave_check_is_said_before_anything_starts(write_rows, model):
    rows = [row | {"images": []} for row in map(pair, range(20))]
    folder = write_training(
        "dpo", write_rows(train=rows).parent, TrainConfig(model=str(model), values={"use_peft": False})
    ).folder
    with pytest.raises(MissingExtraError if WITHOUT_TRL else InputError, match=r"train|images"):
        train(folder)
    assert not (folder / "train.log").exists()


def test_the_newest_whole_checkpoint_is_the_one_to_go_on_from(training):
    for number, is_whole in ((5, True), (20, True), (30, False)):
        folder = training / f"model/checkpoint-{number}"
        folder.mkdir(parents=True)
        if is_whole:
            (folder / "trainer_state.json").write_text("{}", encoding="utf-8")
    found = last_checkpoint(training)
    assert found is not None
    assert found.name == "checkpoint-20"


def test_a_folder_that_holds_no_training_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"training\.json"):
        train(tmp_path)

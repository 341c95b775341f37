"""A reward model as a preference model: a tiny one made on the spot, scored, saved, loaded, and refused where it is not safe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preference.teaching import pairs_of

from character import Trait
from character.errors import InputError, ModelFileError
from character.preference import load_preference_model, preference_model
from character.preference.evaluation import evaluate
from character.preference.protocol import Judged, PreferenceModel, asked_about
from character.preference.transformer import conditioned_turns

pytestmark = pytest.mark.train
TEMPLATE = "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}<|end|>{% endfor %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a Llama of a few thousand random parameters with one output."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

    special = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate([*special, *letters])}, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|end|>", chat_template=TEMPLATE
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=2048, num_labels=1, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    where = tmp_path_factory.mktemp("reward")
    LlamaForSequenceClassification(config).save_pretrained(where)
    tokenizer.save_pretrained(where)
    return where


def judged(number: int) -> list[Judged]:
    pairs = [*pairs_of(number=number), *pairs_of("humour", "zh", number=number)]
    return [Judged(pair.prompt, text, pair.trait) for pair in pairs for text in (pair.chosen, pair.rejected)]


def test_a_batch_scores_as_one_by_one(folder: Path) -> None:
    model = preference_model("transformer", folder=folder, batch_size=5)
    asked = judged(6)
    alone = [model.score(*one) for one in asked]
    np.testing.assert_allclose(model.scores(asked), alone, rtol=1e-4, atol=1e-5)
    assert len(set(alone)) > 1


def test_the_trait_is_part_of_what_is_scored_only_where_it_was_part_of_training(folder: Path) -> None:
    def scores(*, conditioned: bool) -> list[float]:
        model = preference_model("transformer", folder=folder, conditioned=conditioned)
        return [
            model.score("Why?", "Because.", trait)
            for trait in ("patience", Trait(name="humour", description="jokes"))
        ]

    assert len(set(scores(conditioned=True))) == 2
    assert len(set(scores(conditioned=False))) == 1


def test_a_trait_it_was_not_trained_on_is_judged_by_its_text_where_every_text_says_its_trait(
    folder: Path,
) -> None:
    known, new = {"humour": "jokes"}, Trait(name="patience", description="takes the time it needs")
    model = preference_model("transformer", folder=folder, descriptions=known)
    asked = asked_about(model, ["patience", "humour"], [new])
    assert asked.not_fitted == ("patience",)
    assert "the trait's own text" in asked.note
    assert asked.model.score("Why?", "Because.", "patience") == model.score("Why?", "Because.", new)
    assert evaluate(model, pairs_of(number=8)).not_fitted == ("patience",)
    for deaf in ({"conditioned": False}, {"conditioned": True, "by_name": True}):
        plain = preference_model(
            "transformer", folder=folder, descriptions=known, conditioned=deaf["conditioned"]
        )
        with pytest.raises(InputError, match=r"none of the traits patience[\s\S]*humour"):
            asked_about(plain, ["patience"], [new], by_name=deaf.get("by_name", False))


def test_the_trait_stands_before_the_first_turn() -> None:
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Why?"},
    ]
    told = conditioned_turns(turns, "patience: takes time")
    assert told[0] == {"role": "user", "content": "[patience: takes time]\n\nHi"}
    assert told[1:] == turns[1:]
    assert turns[0]["content"] == "Hi"


def test_it_is_measured_and_prefers_like_the_others(folder: Path) -> None:
    model = preference_model("transformer", folder=folder, descriptions={"patience": "takes time"})
    one = model.prefer("a b", "c d", messages="Why?", trait="patience")
    assert one + model.prefer("c d", "a b", messages="Why?", trait="patience") == pytest.approx(1.0)
    found = evaluate(model, pairs_of(number=8))
    assert (found.model, found.overall.num_pairs) == ("transformer", 8)


def test_saved_and_loaded_it_scores_the_same(folder: Path, tmp_path: Path) -> None:
    model = preference_model(
        "transformer", folder=folder, descriptions={"patience": "takes time"}, max_length=512
    )
    model.save(tmp_path / "saved")
    again = load_preference_model(tmp_path / "saved")
    assert again.traits == ("patience",)
    assert again.scores(judged(3)).tobytes() == model.scores(judged(3)).tobytes()


def test_a_long_text_keeps_its_end(folder: Path) -> None:
    model: PreferenceModel = preference_model("transformer", folder=folder, max_length=64)
    long = "x" * 500
    assert model.score("Why?", long + "yes", "patience") != model.score("Why?", long + "no", "patience")


def test_fitting_names_the_command_that_does_it(folder: Path) -> None:
    with pytest.raises(InputError, match="character train reward"):
        preference_model("transformer", folder=folder).fit(pairs_of(number=4))


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def linked(folder: Path) -> None:
    (folder / "notes.txt").symlink_to("/etc/hostname")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickled weights": (pickled, "no weights as safetensors"),
    "code of its own": (lambda d: changed(d / "config.json", auto_map={"AutoConfig": "evil.Config"}), "auto_map"),
    "a tokenizer with code": (lambda d: changed(d / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}), "auto_map"),
    "a link": (linked, "is a link"),
    "an unknown key": (lambda d: changed(d / "preference.json", hook="os.system"), "hook: this key"),
    "an unbounded batch": (lambda d: changed(d / "preference.json", batch_size=10**8), "batch_size"),
    "half of the weights": (lambda d: (d / "model.safetensors").write_bytes((d / "model.safetensors").read_bytes()[:500]), "no model that can be loaded"),
    "a configuration that is none": (lambda d: (d / "config.json").write_text("["), "not JSON"),
    "a configuration that is a list": (lambda d: (d / "config.json").write_text("[]"), "holds a list"),
    "a configuration that is empty": (lambda d: (d / "config.json").write_text("{}"), "no model that can be loaded"),
    "no configuration": (lambda d: (d / "config.json").unlink(), "no model that can be loaded"),
    "a model that nobody knows": (lambda d: changed(d / "config.json", model_type="unheard-of"), "no model that can be loaded"),
    "a size that is a text": (lambda d: changed(d / "config.json", hidden_size="sixteen"), "no model that can be loaded"),
    "a size below zero": (lambda d: changed(d / "config.json", hidden_size=-16), "no model that can be loaded"),
    "layers that are none": (lambda d: changed(d / "config.json", num_hidden_layers=None), "no model that can be loaded"),
    "a tokenizer that is none": (lambda d: (d / "tokenizer.json").write_text("{}"), "no model that can be loaded"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    preference_model("transformer", folder=folder).save(tmp_path / "m")
    edit, said = HOSTILE[name]
    edit(tmp_path / "m")
    with pytest.raises(ModelFileError) as refused:
        load_preference_model(tmp_path / "m").score("Why?", "Because.", "patience")
    assert said in str(refused.value)


def test_a_model_of_several_outputs_is_no_reward_model(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig.from_pretrained(folder, num_labels=3)
    LlamaForSequenceClassification(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(ModelFileError, match="3 outputs"):
        preference_model("transformer", folder=tmp_path).score("Why?", "Because.", "patience")

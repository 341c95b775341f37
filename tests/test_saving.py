"""Programs that are saved: settings and models come back, keys are in no file, what does not come back is told."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import threading
import warnings
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at

from character import Candidates, CharacterProgram, MessageGenerator, Ranker, Responder, build_lm
from character.backends.backend import Backend
from character.backends.seam import AsyncSeamEngine, SeamEngine
from character.errors import InputError

KEY = "secret-of-the-house"
TRAIT = "patience: takes the time an explanation needs"


class Locked(dspy.BaseLM):
    """A model of a user's own that can neither be copied nor pickled."""

    def __init__(self, words: str = "") -> None:
        super().__init__(model="house/locked")
        self.words, self.lock = words, threading.Lock()


class First(dspy.Module):
    """A ranker of a user's own."""

    def forward(self, candidates: Candidates) -> dspy.Prediction:
        return dspy.Prediction(scores=[1.0, *[0.0] * (len(candidates.items) - 1)])


def whole() -> CharacterProgram:
    """Return a program that has every setting other than by default."""
    return CharacterProgram(
        MessageGenerator(turns=3, batch_size=4, max_refills=1, oversample=1.5, check=True),
        Responder(3, levels=["natural", "absent", "opposite"], conditioning="character", calls="per_message"),
        Ranker(1, strategy="pairwise", max_passes=3, tournament="swiss", method="borda", min_gain=0.1),
        messages_per_trait=2,
        messages_per_slice=9,
        kinds=("question",),
        design="all",
        min_margin=0.2,
        min_probability=0.6,
        max_per_message=5,
        seed=4,
        max_in_flight=3,
    )


def settings(module: Any) -> Any:
    return module.dump_state()["character"]["parts"]


def loaded(module: Any, path: Path, **options: Any) -> list[str]:
    """Load a state and return what was said."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        module.load(path, **options)
    return [str(each.message) for each in said if each.category is UserWarning]


@pytest.mark.parametrize(
    "made", [whole, lambda: whole().generator, lambda: whole().responder, lambda: whole().ranker]
)
def test_every_setting_comes_back(tmp_path: Path, made: Any) -> None:
    module = made()
    module.save(tmp_path / "state.json")
    again = type(module)()
    assert settings(again) != settings(module)
    assert loaded(again, tmp_path / "state.json") == []
    assert settings(again) == settings(module)
    assert [name for name, _ in again.named_predictors()] == [name for name, _ in module.named_predictors()]


def test_what_an_option_added_goes_where_the_file_is_without_it(tmp_path: Path, rehearsal: None) -> None:
    CharacterProgram(messages_per_trait=1).save(tmp_path / "plain.json")
    program = whole()
    loaded(program, tmp_path / "plain.json")
    assert settings(program) == settings(CharacterProgram(messages_per_trait=1))
    assert program(trait=TRAIT).pairs


def test_prompts_and_demos_come_back_beside_the_settings(tmp_path: Path) -> None:
    ranker = Ranker(strategy="listwise")
    ranker.rank.signature = ranker.rank.signature.with_instructions("Order them.")
    ranker.rank.demos = [dspy.Example(trait={"name": "patience"}, order=[[1], [2]])]
    ranker.save(tmp_path / "ranker.json")
    again = Ranker()
    loaded(again, tmp_path / "ranker.json")
    assert again.strategy == "listwise"
    assert again.rank.signature.instructions == "Order them."
    assert len(again.rank.demos) == 1


def test_a_state_from_before_still_loads_and_what_it_lacks_is_told(tmp_path: Path) -> None:
    program = whole()
    state = program.dump_state()
    del state["character"]
    state["ranker.rank"]["signature"]["instructions"] = "From before."
    again = whole()
    with pytest.warns(UserWarning, match="settings of the CharacterProgram stay"):
        again.load_state(state)
    assert again.ranker.rank.signature.instructions == "From before."
    assert settings(again) == settings(program)


def test_models_at_their_providers_come_back(tmp_path: Path, rehearsal: None) -> None:
    program = CharacterProgram(
        responder=Responder(2, lms=[build_lm(), build_lm(temperature=0.5)]),
        ranker=Ranker(1, jurors={"o'ne": build_lm()}),
        messages_per_trait=1,
        lms={
            "default": build_lm(),
            "ranking": build_lm(model="openai/x", max_tokens=77),
            "tuned": dspy.LM("openai/y"),
        },
    )
    program.save(tmp_path / "program.json")
    again = CharacterProgram()
    assert loaded(again, tmp_path / "program.json") == []
    assert {role: lm.model for role, lm in again.lms.items()} == {
        role: lm.model for role, lm in program.lms.items()
    }
    assert again.lms["ranking"].kwargs["max_tokens"] == 77
    assert [lm.kwargs["temperature"] for lm in again.responder.lms] == [None, 0.5]
    assert list(again.ranker.jurors) == ["o'ne"]
    assert again(trait=TRAIT).candidates


def test_a_model_at_a_server_of_ones_own_is_named_and_the_server_is_not_in_the_file(
    tmp_path: Path, server: FakeServer
) -> None:
    lms = {"default": build_lm(backend_at(server)), "ranking": dspy.LM("openai/x", api_base=server.url)}
    CharacterProgram(lms=lms, ranker=Ranker(jurors={"one": lms["ranking"]})).save(tmp_path / "program.json")
    assert server.url not in (tmp_path / "program.json").read_text(encoding="utf-8")
    again = CharacterProgram()
    said = " ".join(loaded(again, tmp_path / "program.json", allow_unsafe_lm_state=True))
    assert again.lms == again.ranker.jurors == {}
    assert f"lms['default']: the model openai/{server.name}, could not be made again: its api_base" in said
    assert "ranker.jurors['one'], lms['ranking']: the model openai/x" in said.replace(
        "lms['ranking'], ranker.jurors['one']", "ranker.jurors['one'], lms['ranking']"
    )


def test_a_file_that_is_not_trusted_names_no_server_and_no_key(
    tmp_path: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ours = build_lm(backend_at(server, api_key_env="OPENAI_API_KEY"))
    program = CharacterProgram(
        messages_per_trait=1, lms={"default": ours, "ranking": dspy.LM("openai/x", api_base=server.url)}
    )
    program.set_lm(dspy.LM("openai/y", base_url=server.url))
    state = program.dump_state()
    models = state["character"]["models"]
    models["lms['default']"]["engine"]["state"]["config"]["api_base"] = server.url  # as an attacker writes it
    models["lms['ranking']"] |= {"api_base": server.url, "model": "openai/z"}
    state["character"]["left_out"] = {}
    state["metadata"] = {"dependency_versions": {}}
    (tmp_path / "program.json").write_text(json.dumps(state), encoding="utf-8")
    again = CharacterProgram(messages_per_trait=1)
    said = " ".join(loaded(again, tmp_path / "program.json"))
    assert again.lms == {}
    assert {predictor.lm for predictor in again.predictors()} == {None}
    for named in ("lms['default']", "lms['ranking']", "openai/z", "ranker.rank.lm", "allow_unsafe_lm_state"):
        assert named in said


def test_a_file_sets_nothing_of_a_predictor_that_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "program.json"
    CharacterProgram().save(path)
    state = json.loads(path.read_text(encoding="utf-8"))
    state["ranker.rank"]["config"] = {"api_base": "http://127.0.0.1:9/v1"}
    for each in (state, {name: value for name, value in state.items() if name != "character"}):
        path.write_text(json.dumps(each), encoding="utf-8")
        program = CharacterProgram()
        loaded(program, path)
        assert program.ranker.rank.config == {}


def test_no_key_header_or_password_gets_into_a_file(tmp_path: Path, server: FakeServer) -> None:
    secrets = {"api_key": KEY, "extra_headers": {"X-Auth": KEY}, "aws_secret_access_key": KEY}
    lms = {
        "default": dspy.LM("openai/x", api_base=server.url, cache=False, **secrets),
        "ranking": dspy.LM("openai/x", api_base=f"http://user:{KEY}@127.0.0.1:9/v1"),
    }
    program = CharacterProgram(messages_per_trait=1, lms=lms)
    program.set_lm(lms["default"])
    for name in ("program.json", "program.pkl"):
        program.save(tmp_path / name)
        assert KEY.encode() not in (tmp_path / name).read_bytes()
    again = CharacterProgram()
    said = " ".join(loaded(again, tmp_path / "program.json", allow_unsafe_lm_state=True))
    assert (
        "ranker.rank.lm: the model openai/x, was saved without api_key, aws_secret_access_key, extra_headers"
        in said
    )
    assert "lms['ranking']: the model openai/x, could not be made again: its api_base" in said


def test_a_server_of_the_files_never_gets_the_key_of_the_environment(
    tmp_path: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    program = CharacterProgram(messages_per_trait=1)
    program.set_lm(
        dspy.LM("openai/x", api_base=server.url, api_key="of-that-server", cache=False, num_retries=0)
    )
    program.save(tmp_path / "program.json")
    again = CharacterProgram()
    loaded(again, tmp_path / "program.json", allow_unsafe_lm_state=True)
    assert again(trait=TRAIT).candidates
    assert server.requests
    assert not any(KEY in headers.get("Authorization", "") for headers in server.headers)


def test_a_model_that_a_program_was_made_with_stays_and_the_other_is_told(tmp_path: Path) -> None:
    CharacterProgram(lms={"default": build_lm(model="openai/x")}).save(tmp_path / "program.json")
    mine = build_lm()
    program = CharacterProgram(lms={"default": mine})
    (said,) = loaded(program, tmp_path / "program.json", allow_unsafe_lm_state=True)
    assert program.lms == {"default": mine}
    assert said == "lms['default']: stays rehearsal/default; the file names openai/x."


def test_a_step_or_a_predictor_of_ones_own_has_to_be_there_before_loading(tmp_path: Path) -> None:
    CharacterProgram(ranker=First(), design="all").save(tmp_path / "own.json")
    with pytest.raises(InputError, match=r"saved with the ranker .*First"):
        CharacterProgram().load(tmp_path / "own.json")
    again = CharacterProgram(ranker=First())
    assert loaded(again, tmp_path / "own.json") == []
    assert again.design == "all"
    thinking = dspy.ChainOfThought(Ranker().rank.signature)
    Ranker(predictor=thinking, passes=3).save(tmp_path / "thinking.json")
    plain = Ranker()
    with pytest.raises(InputError, match=r"the predictor rank\.predict was saved"):
        plain.load(tmp_path / "thinking.json")
    assert plain.passes == 2
    again_thinking = Ranker(predictor=copy.deepcopy(thinking))
    loaded(again_thinking, tmp_path / "thinking.json")
    assert again_thinking.passes == 3


class Holds(dspy.Module):
    """A module of a user's own, which holds others in every way that DSPy knows."""

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        self.one, *rest = modules
        self.listed = rest[:1]
        self.by_name = {f"number {number}": each for number, each in enumerate(rest[1:])}


def _best_of(module: Any) -> dspy.Module:
    return dspy.BestOfN(module, N=1, reward_fn=lambda _given, _made: 1.0, threshold=0.5)


@pytest.mark.parametrize(
    "around",
    [
        lambda made: Holds(made, made.ranker, made.responder),
        lambda made: Holds(_best_of(made)),
        lambda made: Holds(CharacterProgram(ranker=_best_of(made.ranker))),
    ],
    ids=["in a module", "in a module in a module", "in a step"],
)
def test_settings_come_back_wherever_a_module_of_ours_lies(tmp_path: Path, around: Any) -> None:
    module, again = around(whole()), around(CharacterProgram())
    assert again.dump_state() != module.dump_state()
    module.save(tmp_path / "state.json")
    assert loaded(again, tmp_path / "state.json") == []
    assert again.dump_state() == module.dump_state()


def test_settings_that_a_file_of_before_lacks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    Holds(Ranker(3)).save(path)
    state = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({name: each for name, each in state.items() if name != "character/inside"}))
    again = Holds(Ranker(1))
    assert loaded(again, path) == ["one is not in the file: the settings of the Ranker stay."]
    assert again.one.passes == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda section: section["parts"][""]["settings"].update(messages_per_trait=0), "at least 1"),
        (lambda section: section["parts"]["ranker"]["settings"].update(strategy="guess"), "guess"),
        (lambda section: section["parts"]["responder"]["settings"].update(colour="red"), "colour"),
        (lambda section: section.pop("parts"), "no state of a CharacterProgram"),
        (lambda section: section["models"].update({"lms[0": {}}), "no state of a CharacterProgram"),
    ],
)
def test_a_file_changed_by_hand_is_refused_and_changes_nothing(
    tmp_path: Path, change: Any, said: str
) -> None:
    path = tmp_path / "program.json"
    whole().save(path)
    state = json.loads(path.read_text(encoding="utf-8"))
    change(state["character"])
    path.write_text(json.dumps(state), encoding="utf-8")
    program = CharacterProgram()
    with pytest.raises(InputError, match=said):
        program.load(path)
    assert settings(program) == settings(CharacterProgram())


def test_a_program_with_models_is_pickled_copied_and_saved_whole_and_runs(
    tmp_path: Path, server: FakeServer
) -> None:
    lms = {"default": build_lm(backend_at(server)), "messages": build_lm()}
    program = CharacterProgram(messages_per_trait=1, lms=lms)
    program.save(tmp_path / "whole", save_program=True)
    for again in (
        pickle.loads(pickle.dumps(program)),  # noqa: S301
        copy.deepcopy(program),
        copy.copy(program),
        dspy.load(str(tmp_path / "whole"), allow_pickle=True),
    ):
        server.requests.clear()
        assert again(trait=TRAIT).candidates
        assert server.requests


def test_a_pickled_model_keeps_one_limit_for_threads_and_tasks_and_holds_no_key(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARACTER_TEST_KEY", KEY)
    data = pickle.dumps(build_lm(backend_at(server, api_key_env="CHARACTER_TEST_KEY"), name="judge"))
    assert KEY.encode() not in data
    backend = Backend(backend_at(server), name="judge")
    threads, tasks = pickle.loads(pickle.dumps([SeamEngine(backend), AsyncSeamEngine(backend)]))  # noqa: S301
    assert threads.backend is tasks.backend
    assert (threads.backend.name, threads.backend.config) == ("judge", backend.config)


def test_a_model_that_cannot_be_pickled_is_named_and_copies_share_it(tmp_path: Path) -> None:
    program = CharacterProgram(lms={"ranking": Locked()}, ranker=Ranker(jurors={"one": Locked()}))
    program.responder.set_lm(Locked())
    with pytest.raises(InputError, match=r"lms\['ranking'\], the model house/locked, cannot be pickled"):
        pickle.dumps(program)
    with pytest.raises(RuntimeError, match=r"lms\['ranking'\], the model house/locked"):
        program.save(tmp_path / "whole", save_program=True)
    for again in (copy.deepcopy(program), program.deepcopy()):
        assert again.lms["ranking"] is program.lms["ranking"]
        assert again.ranker.jurors == program.ranker.jurors
        assert again.ranker is not program.ranker
    program.save(tmp_path / "program.json")
    said = " ".join(loaded(CharacterProgram(), tmp_path / "program.json", allow_unsafe_lm_state=True))
    assert "lms['ranking']" in said
    assert "ranker.jurors['one']" in said
    assert "house/locked" in said


def test_a_whole_program_with_a_key_in_it_says_so(tmp_path: Path) -> None:
    program = CharacterProgram(lms={"default": dspy.LM("openai/x", api_key=KEY)})
    with pytest.warns(UserWarning, match=r"holds the key of lms\['default'\]"):
        program.save(tmp_path / "whole", save_program=True)


@pytest.mark.parametrize("kind", [CharacterProgram, MessageGenerator, Responder, Ranker])
def test_every_option_of_a_step_is_saved_or_is_a_part_or_a_model(kind: Any) -> None:
    options = set(inspect.signature(kind.__init__).parameters) - {"self", "predictor"}
    assert options == {*kind._kept, *kind._model_places, *kind._step_places}

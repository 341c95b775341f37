"""The steps of the closed loop: each reads files, writes files, and runs in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

from character.files import json_text, jsonl_sink, write_text
from character.records import Message
from closed_loop.plan import LoopConfig, Places, read_config
from closed_loop.world import (
    CONSTITUTION,
    HUMOUR,
    PATIENCE,
    Topic,
    all_topics,
    write_reply,
)

_MAX_TOKENS = 96
_NO_LORA = dict.fromkeys(("use_peft", "lora_r", "lora_alpha", "lora_target_modules", "lora_task_type"))
"""A model this small is trained whole."""
_BALANCE = 0.02
"""How far a feature or another trait may set the sides apart: at .1 the other trait was crowded out by .08
with one of three seeds."""
_SETTINGS: dict[str, Any] = {
    **_NO_LORA,
    "per_device_train_batch_size": 16,
    "gradient_accumulation_steps": 1,
    "max_length": 128,
    "logging_steps": 5,
    "eval_strategy": "no",
}


def world(places: Places, config: LoopConfig) -> None:
    """Write the messages, the dialogues that teach the language, and the untrained model."""
    from closed_loop.tiny_model import write_tiny_model

    size = config.size
    topics = all_topics(size.topics, config.seed)
    cut = round(len(topics) * size.held_out)
    for path, part in ((places.held_out, topics[:cut]), (places.messages, topics[cut:])):
        rows = [{"type": "question", "prompt": one.text, "trait": PATIENCE.name} for one in part]
        write_text(path, json_text(rows, indent=1) + "\n")
    write_text(places.constitution, CONSTITUTION.model_dump_json(by_alias=True, indent=2) + "\n")
    dialogues = _dialogues(topics[cut:], size.sft_replies, Random(config.seed))
    data = places.training("policy") / "data"
    data.mkdir(parents=True, exist_ok=True)
    with jsonl_sink(data / "train.jsonl") as write:
        for topic, text in dialogues:
            sides = {"prompt": ("user", topic.text), "completion": ("assistant", text)}
            turns = {side: [{"role": role, "content": said}] for side, (role, said) in sides.items()}
            write({**turns, "language": topic.language})
    texts = (said for topic, text in dialogues for said in (topic.text, text))
    write_tiny_model(places.untrained, texts, seed=config.seed, hidden=size.hidden, layers=size.layers)


def _dialogues(topics: list[Topic], replies: int, random: Random) -> list[tuple[Topic, str]]:
    found = [(topic, write_reply(topic, random)) for topic in topics for _ in range(replies)]
    random.shuffle(found)
    return found


def policy(places: Places, config: LoopConfig) -> None:
    """Teach the untrained model the language of the toy world."""
    from character.config import TrainConfig
    from character.training.preparing import write_training
    from character.training.running import train

    values = {
        **_SETTINGS,
        "num_train_epochs": config.size.sft_epochs,
        "learning_rate": 5e-3,
        "per_device_train_batch_size": 8,
        "adam_beta2": 0.98,
    }
    write_training(
        "sft",
        places.training("policy"),
        TrainConfig(model=str(places.untrained), values=values),
        seed=config.seed,
    )
    train(places.training("policy"))


def run_judge(places: Places, config: LoopConfig) -> None:
    """Run our program with the policy as its responder and the rehearsal model as its judge."""
    from character.ranking.ranker import Ranker
    from character.training.policy import PolicyResponder

    responder = PolicyResponder(
        places.policy, config.size.candidates, max_new_tokens=_MAX_TOKENS, batch_size=256
    )
    responder.prepare(_messages(places), seed=config.seed)
    _run(places, config, "judge", responder, Ranker())


def run_truth(places: Places, config: LoopConfig) -> None:
    """Rank the same candidates by the truth."""
    from closed_loop.judges import TruthRanker

    _run(places, config, "truth", _same_candidates(places), TruthRanker())


def run_biased(places: Places, config: LoopConfig) -> None:
    """Rank the same candidates by a judge that also likes jokes."""
    from closed_loop.judges import BiasedRanker

    _run(places, config, "biased", _same_candidates(places), BiasedRanker(HUMOUR, weight=1.0))


def _messages(places: Places) -> list[Message]:
    from character.messages.files import MessageFile

    return list(MessageFile(places.messages, CONSTITUTION).messages(PATIENCE.name))


def _run(places: Places, config: LoopConfig, judge: str, responder: Any, ranker: Any) -> None:
    from character.config import load_config
    from character.messages.files import MessageFile
    from character.program import CharacterProgram
    from character.runs.run import run

    program = CharacterProgram(responder=responder, ranker=ranker, **_PAIRS)
    settings = load_config(overrides={"seed": config.seed, "concurrency": 32, "pairs": _PAIRS})
    messages = MessageFile(places.messages, CONSTITUTION)
    run(CONSTITUTION, places.run(judge), config=settings, messages=messages, program=program)


_PAIRS: dict[str, Any] = {"design": "all", "min_margin": 0.15, "min_probability": 0.7, "max_per_message": 2}


def _same_candidates(places: Places) -> Any:
    """Return a responder that hands out the first run's candidates again, so that only the judge differs."""
    from character.store.run_store import RunStore

    with RunStore(places.run("judge")) as store:
        known = {rollout.message.id: rollout.candidates for rollout in store.rollouts() if rollout.candidates}

    def respond(message: Message) -> Any:
        return known[message.id]

    return respond


def tune(name: str, places: Places, config: LoopConfig) -> None:
    """Train by the method that a step's name begins with, on the pairs of the judge that it ends with.

    Pairs are balanced, but for the biased judge's, whose bias is to be seen; GRPO is rewarded by the judge's
    reward model.
    """
    import dspy

    from character import RunStore, build_lm
    from character.config import TrainConfig
    from character.exports import run_data
    from character.ranking.ranker import Ranker
    from character.training.methods import MethodName
    from character.training.other_traits import by_judge
    from character.training.preparing import prepare
    from character.training.running import train

    method = cast(MethodName, name.partition("-")[0])
    judge, has_rewards = name.partition("-")[2], method == "grpo"
    wanted = TrainConfig(
        model=str(places.policy),
        split="85/15/0",
        conditioned=False,
        values=settings_of(method, config),
        balance=None if has_rewards or judge == "biased" else _BALANCE,
        reward_model=str(places.trained(f"reward-{judge}")) if has_rewards else None,
    )
    scorer, folder = by_judge(Ranker(passes=1)), places.training(name)
    with RunStore(places.run(judge)) as store, dspy.context(lm=build_lm()):
        data = run_data(store)
        prepare(method, data, folder, wanted, seed=config.seed, scorer=scorer, overwrite=True)
    train(folder)


def settings_of(method: str, config: LoopConfig) -> dict[str, Any]:
    """Return the trainer's settings of a method, None for one that the recipe is to do without."""
    size = config.size
    own: dict[str, dict[str, Any]] = {
        "dpo": {"num_train_epochs": size.dpo_epochs, "learning_rate": size.dpo_rate},
        "reward": {"num_train_epochs": 3, "learning_rate": 5e-4},
        "grpo": {
            "max_steps": size.grpo_steps,
            "learning_rate": 2e-4,
            "per_device_train_batch_size": 32,
            "num_generations": 4,
            "max_completion_length": _MAX_TOKENS,
            "max_length": None,
        },
    }
    return {**_SETTINGS, **own[method]}


def sample(name: str, places: Places, config: LoopConfig) -> None:
    """Sample a model on the held-out messages."""
    from character.messages.files import MessageFile
    from character.training.sampling import Sampler

    folder = places.policy if name == "base" else places.trained(name)
    sampler = Sampler(folder, max_new_tokens=_MAX_TOKENS, batch_size=256)
    messages = list(MessageFile(places.held_out, CONSTITUTION).messages(PATIENCE.name))
    prompts = [[turn.model_dump() for turn in message.turns] for message in messages]
    drawn = sampler.draw(prompts, config.size.measured, seed=config.seed)
    places.replies(name).parent.mkdir(parents=True, exist_ok=True)
    write_text(
        places.replies(name), json_text([[reply.text for reply in replies] for replies in drawn], indent=1)
    )


def measure(places: Places, config: LoopConfig) -> None:
    """Measure what changed, and write it down."""
    from closed_loop.results import gather

    write_text(places.results, gather(places, config).model_dump_json(indent=2) + "\n")


STEPS: dict[str, Callable[[Places, LoopConfig], None]] = {
    "world": world,
    "policy": policy,
    "run-judge": run_judge,
    "run-truth": run_truth,
    "run-biased": run_biased,
    "measure": measure,
}


def main(name: str, out: str) -> None:
    """Do one step of the loop in a folder."""
    places = Places(Path(out))
    config = read_config(places.out)
    if name.startswith("sample-"):
        sample(name.removeprefix("sample-"), places, config)
    elif name.startswith(("dpo-", "reward-", "grpo-")):
        tune(name, places, config)
    else:
        STEPS[name](places, config)


if __name__ == "__main__":
    main(*sys.argv[1:])

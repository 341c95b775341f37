"""Tune the ranker to 24 messages that people labelled, see the gain on held-out ones, and run with it."""

import json
import tempfile
from pathlib import Path

from character import load_config, load_constitution, optimize, read_labelled, run

here = Path(__file__).parent
labelled = read_labelled(here / "labelled" / "patience-and-humour.en.jsonl")
item = labelled.items[0]
print(f"{len(labelled)} labelled messages, such as: {item.turns[-1].content}")
for text, score in zip(item.candidates, item.consensus(), strict=True):
    print(f"  {score:.2f}  {text[:90]}")

with tempfile.TemporaryDirectory() as folder:
    out = Path(folder)
    # The rehearsal model judges here and heeds no examples, so nothing is adopted; name a real one with
    # load_config(overrides={"backends": …}).
    tuned = optimize(labelled, out / "tuned", strategy="few_shot", budget=600)
    gain = tuned.report.gain
    print(f"{gain.metric} on held-out messages: {gain.before.estimate:.2f} -> {gain.after.estimate:.2f}")
    print(f"gain {gain.gain.estimate:+.2f} [{gain.gain.low:+.2f}, {gain.gain.high:+.2f}]")
    print("adopted" if tuned.report.adopted else "not adopted", "-", tuned.report.reason)

    ranker = str(out / "tuned" / "ranker.json")
    config = load_config(overrides={"messages": {"per_trait": 3}, "ranking": {"ranker": ranker}})
    constitution = load_constitution(here / "constitutions" / "patience-and-humour.en.toml")
    summary = run(constitution, out / "run", config=config)
    print(f"{summary.pairs} pairs, ranked by it")
    saved = json.loads(Path(ranker).read_text(encoding="utf-8"))
    print(f"{len(saved['demos'])} labelled examples in its prompt, tuned on {saved['model']}")

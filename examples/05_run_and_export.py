"""A run that is kept on disk: stopped and resumed at will, then exported for trainers."""

import json
import tempfile
from pathlib import Path

from character import RunStore, export, load_config, load_constitution, run
from character.exports import ExportData

here = Path(__file__).parent
constitution = load_constitution(here / "constitutions" / "quiet-craftsman.en.toml")
config = load_config(overrides={"messages": {"per_trait": 4}, "pairs": {"design": "best_worst"}})

with tempfile.TemporaryDirectory() as folder:
    out = Path(folder)
    first = run(constitution, out / "run", config=config)
    again = run(constitution, out / "run", config=config)  # finished calls are never made again
    print(f"{first.pairs} pairs; the second time nothing was left to do: {again == first}")

    with RunStore(out / "run") as store:
        manifest = {"models": store.models(), "seed": config.seed, "rehearsal": first.rehearsal}
        data = ExportData(constitution=constitution, rollouts=tuple(store.rollouts()), manifest=manifest)
    for name in ("recipe", "trl"):
        report = export(data, name, out / name)
        print(name, {file.path: file.rows for file in report.files})
    row = (out / "recipe" / "preferences.jsonl").read_text(encoding="utf-8").split("\n")[0]
    print(json.dumps(json.loads(row), ensure_ascii=False, indent=2))

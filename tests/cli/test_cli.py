"""The command line as scripts use it: JSON on stdout, exit codes, no traceback, and help at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reply, as_rehearsal

RECIPE = '[{"trait": "耐心", "description": "在解释时详细，不急躁"}, {"trait": "幽默感", "description": "适当的时候说点轻松的"}]'


def character(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "character", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=environment
    )


def in_json(*arguments: object) -> Any:
    """Run a command with --json and return the document it printed."""
    done = character(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a constitution and a finished run."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "recipe.json").write_text(RECIPE, encoding="utf-8")
    in_json("run", folder / "recipe.json", "--out", folder / "run", "--messages-per-trait", 2)
    return folder


def test_run_prints_what_was_kept_dropped_and_paid_and_five_pairs(made: Path) -> None:
    done = character("run", made / "recipe.json", "--out", made / "run", "--messages-per-trait", 2)
    assert done.returncode == 0
    for said in (
        "kept and dropped",
        "calls and cost",
        "tokens in",
        "pair 4",
        "rehearsal backend",
        str(made / "run"),
    ):
        assert said in done.stdout
    assert "耐心、幽默感" in done.stderr


def test_a_run_says_what_is_set_otherwise_than_by_default(made: Path, tmp_path: Path) -> None:
    flags = ("--messages-per-trait", 2, "--set", "ranking.adaptive=true", "--set", "messages.prompting=chat")
    done = character("run", made / "recipe.json", "--out", tmp_path / "run", *flags)
    said = " ".join(done.stdout.replace("│", " ").split() + done.stderr.replace("│", " ").split())
    settings = "messages.per_trait = 2, messages.prompting = chat, ranking.adaptive = True"
    assert f"settings {settings} ╰" in said
    once = character("run", made / "recipe.json", "--out", made / "run", *flags[:2], "--passes", 1)
    assert once.returncode == 2
    assert "ranking.passes: 2 before, 1 now" in once.stderr
    assert "min_probability" not in once.stderr


def test_status_and_show_agree_with_the_run(made: Path) -> None:
    summary = in_json("status", made / "run")
    rollouts = in_json("show", made / "run")
    assert summary["pairs"] == sum(len(rollout["pairs"]) for rollout in rollouts)
    first = rollouts[0]
    assert in_json("show", made / "run", "--message", first["message"]["id"][:8]) == first
    shown = character("show", made / "run", "--message", first["message"]["id"]).stdout
    for level in ("natural", "absent", "overdone", "subtle"):
        assert level in shown
    assert "score" in shown
    assert "reasons of pass 2" in shown


def test_export_writes_every_format_named_in_its_help(made: Path, tmp_path: Path) -> None:
    from character.exports import EXPORT_FORMATS

    help_text = "".join(character("export", "--help").stdout.split())  # a line may end within a name
    for name in EXPORT_FORMATS:
        assert name in help_text
        report = in_json(
            "export", made / "run", "--format", name, "--out", tmp_path / name, "--split", "100/0/0"
        )
        assert sum(file["rows"] for file in report["files"]) > 0
        assert (tmp_path / name / "README.md").is_file()


def test_check_prints_what_was_understood(made: Path) -> None:
    data = in_json("check", made / "recipe.json")
    assert [trait["name"] for trait in data["constitution"]["traits"]] == ["耐心", "幽默感"]
    assert isinstance(data["findings"], list)
    assert "耐心" in character("check", made / "recipe.json").stdout


def test_init_writes_a_project_that_runs(tmp_path: Path) -> None:
    for language in ("en", "zh"):
        written = in_json("init", tmp_path / language, "--language", language)["written"]
        arguments = ("run", written[0], "--config", written[1], "--out", tmp_path / f"run-{language}")
        assert in_json(*arguments, "--messages-per-trait", 1)["pairs"] > 0
        assert in_json("check", written[0])["findings"] == []
    again = character("init", tmp_path / "en")
    assert (again.returncode, "already holds" in again.stderr) == (2, True)


def test_backends_lists_steps_and_ping_reports_what_answers(server: FakeServer) -> None:
    rows = in_json("backends", "--lm", "openai/a", "--api-base", server.url, "--ping")
    assert {row["ping"]["model"] for row in rows} == {"openai/fake-model"}
    down = character("backends", "--lm", "openai/a", "--api-base", "http://127.0.0.1:9/v1", "--ping")
    assert down.returncode == 4


def test_each_step_takes_a_backend_by_flag(made: Path, tmp_path: Path) -> None:
    with FakeServer(name="judge") as judge:
        summary = in_json(
            "run", made / "recipe.json", "--out", tmp_path / "run", "--messages-per-trait", 1,
            "--backend-ranking", "litellm", "--lm-ranking", "openai/judge", "--api-base-ranking", judge.url,
        )  # fmt: skip
    assert summary["models"]["ranking"] == ["openai/judge"]
    assert summary["models"]["responses"] == ["rehearsal/default"]
    assert summary["rehearsal"] is True


def test_messages_come_from_a_file_in_the_recipes_shape(made: Path, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(
        '[{"type": "情境型", "prompt": "有人问你为什么迟到, 你怎么回答?"}]', encoding="utf-8"
    )
    in_json("run", made / "recipe.json", "--out", tmp_path / "run", "--messages", tmp_path / "m.json")
    messages = [rollout["message"] for rollout in in_json("show", tmp_path / "run")]
    assert [(m["trait"], m["kind"], m["source"]) for m in messages] == [
        ("耐心", "situation", "file"),
        ("幽默感", "situation", "file"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "none.json", "--out", "r"], 2, "none.json"),
        (["run", "recipe.json"], 2, "--out"),
        (["run", "recipe.json", "--out", "r", "--candidates", "9"], 2, "--candidates"),
        (["run", "recipe.json", "--out", "r", "--backend", "native"], 2, "needs a model"),
        (["run", "recipe.json", "--out", "r", "--messages", "none.txt"], 2, "none.txt"),
        (["run", "recipe.json", "--out", "recipe.json"], 2, "run folder"),
        (["run", "recipe.json", "--out", "r", "--lm", "openai/x", "--api-base", "http://127.0.0.1:9/v1"], 4, "cannot be reached"),
        (["show", "nowhere"], 2, "holds no run"),
        (["show", "run", "--message", "zzzz"], 2, "no message has an id"),
        (["export", "run", "--format", "trk", "--out", "x"], 2, "trl"),
        (["export", "run", "--format", "trl", "--out", "x", "--split", "half"], 2, "90/5/5"),
        (["effect", "recipe.json", "--out", "r", "--lm-ranking", "openai/x"], 2, "no --lm-ranking: an evaluation ranks"),
        (["effect", "recipe.json", "--out", "r", "--api-base-ranking", "http://127.0.0.1:9/v1"], 2, "--api-base-ranking"),
        (["evaluate-ranker", "recipe.json", "--lm-reflection", "openai/x"], 2, "no --lm-reflection: nothing is tuned"),
        (["run", "recipe.json", "--out", "r", "--messages", "m", "--lm-messages", "openai/x"], 2, "--lm-messages beside --messages"),
        (["effect", "recipe.json", "--out", "r", "--messages", "m", "--messages-per-trait", "2"], 2, "--messages-per-trait beside"),
        (["rum"], 2, "rum"),
        (["check", "bad.json"], 2, "line 2"),
    ],
)  # fmt: skip
def test_mistakes_get_one_clear_error_and_their_exit_code(
    made: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    for name in ("recipe.json",):
        (tmp_path / name).write_text(RECIPE, encoding="utf-8")
    (tmp_path / "bad.json").write_text('[\n{"trait": ]')
    (tmp_path / "run").symlink_to(made / "run")
    done = character(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_import_load_nothing_heavy() -> None:
    heavy = "{'dspy', 'litellm', 'torch', 'sqlalchemy', 'pydantic', 'rich', 'numpy'}"
    for code in (
        "import character",
        "import character.cli as c; c.cli.main(['--help'], standalone_mode=False)",
    ):
        script = f"import sys, contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    exec({code!r})\n"
        script += f"print(sorted({heavy} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


def test_brackets_in_names_and_in_what_a_server_says_are_no_markup(
    tmp_path: Path, server: FakeServer
) -> None:
    (tmp_path / "c.json").write_text(
        '[{"trait": "直率[/b]", "description": "说话直接 [/x] [red]不绕弯"}]', encoding="utf-8"
    )
    for arguments in (["check", "c.json"], ["run", "c.json", "--out", "run", "--messages-per-trait", "1"]):
        done = character(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "直率[/b]" in done.stdout + done.stderr
    server.script = lambda _request: Reply(status=400, body='{"error": {"message": "bad [/x] words"}}')
    pinged = character("backends", "--lm", "openai/a", "--api-base", server.url, "--ping")
    assert pinged.returncode == 4
    assert "bad [/x] words" in pinged.stdout


def test_a_failure_is_one_json_document_too(made: Path, tmp_path: Path) -> None:
    for arguments, code in (
        (["check", tmp_path / "none.json"], 2),
        (["run", made / "recipe.json", "--candidates", "9"], 2),
    ):
        done = character(*arguments, "--json")
        assert done.returncode == code
        assert json.loads(done.stdout)["exit_code"] == code
        assert json.loads(done.stdout)["error"]


def test_a_server_that_fails_from_the_start_is_no_finished_run(
    made: Path, tmp_path: Path, server: FakeServer
) -> None:
    command = [
        "run",
        made / "recipe.json",
        "--out",
        tmp_path / "run",
        "--lm",
        "openai/a",
        "--messages-per-trait",
        1,
    ]
    (tmp_path / "c.toml").write_text("[backends.default]\nmodel = 'openai/a'\nnum_retries = 0\n")
    command += ["--config", tmp_path / "c.toml"]
    server.script = lambda _request: Reply(status=500, body='{"error": {"message": "oops"}}')
    failed = character(*command, "--api-base", server.url)
    assert failed.returncode == 4, failed.stderr
    assert "oops" in failed.stderr
    wrong_path = character(*command, "--api-base", server.url.removesuffix("/v1"))
    assert wrong_path.returncode == 2
    assert "/v1" in wrong_path.stderr, "nothing is finished yet, so the address may still be corrected"
    server.script = as_rehearsal
    assert character(*command, "--api-base", server.url).returncode == 0


def test_watching_a_run_that_was_refused_before_its_first_message_ends_and_says_why(
    made: Path, tmp_path: Path, server: FakeServer
) -> None:
    server.script = lambda _request: Reply(status=401, body='{"error": {"message": "no such key"}}')
    options = ["--lm", "openai/a", "--api-base", server.url, "--messages-per-trait", 1]
    assert character("run", made / "recipe.json", "--out", tmp_path / "run", *options).returncode == 4
    watched = character("status", tmp_path / "run", "--watch")
    assert watched.returncode == 0, watched.stderr
    assert "0 of 0 messages" in watched.stdout
    assert "stopped: " in watched.stdout
    assert "no such key" in watched.stdout


def test_a_model_that_only_talks_nonsense_is_told_with_its_own_words(
    made: Path, tmp_path: Path, server: FakeServer
) -> None:
    server.script = lambda _request: "I would rather sing."
    done = character(
        "run",
        made / "recipe.json",
        "--out",
        tmp_path / "run",
        "--lm",
        "openai/a",
        "--api-base",
        server.url,
        "--set",
        "messages.prompting=fields",
    )
    assert done.returncode == 5
    assert "'I would rather sing.'" in done.stderr
    assert "To fix it:" in done.stderr
    assert len(server.requests) < 30


@pytest.mark.parametrize("strategy", ["pairwise", "pointwise"])
def test_show_tells_who_was_shown_in_each_pass(made: Path, tmp_path: Path, strategy: str) -> None:
    out = tmp_path / "run"
    in_json("run", made / "recipe.json", "--out", out, "--messages-per-trait", 1, "--strategy", strategy)
    shown = character("show", out, "--message", in_json("show", out)[0]["message"]["id"])
    assert shown.returncode == 0, shown.stderr
    assert "[1]" in shown.stdout


def test_a_finished_run_in_a_folder_that_cannot_be_written_is_read(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "run", tmp_path / "run")
    for path in (*(tmp_path / "run").iterdir(), tmp_path / "run"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [sys.executable, "-m", "character", "status", str(tmp_path / "run"), "--json"]
    if os.geteuid() == 0:  # who may do anything has to give that up first
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["messages"]["messages"] == 4

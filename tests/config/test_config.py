"""Configuration: TOML, flags and Python make the same object; every mistake is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from character import CharacterProgram, Config, Ranker, load_config
from character.errors import ConfigError


def _load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode())
    return load_config(path)


def test_without_anything_the_rehearsal_model_answers() -> None:
    config = load_config()
    assert config.backend("ranking").kind == "rehearsal"
    assert config.uses_rehearsal


@pytest.mark.parametrize(
    ("ranking", "pairs", "least"),
    [
        ({}, {}, 0.7),
        ({"passes": 1}, {}, 0.0),
        ({"passes": 1, "max_passes": 2}, {}, 0.7),
        ({"passes": 1, "adaptive": True}, {}, 0.7),
        ({"passes": 1}, {"min_probability": 0.6}, 0.6),
    ],
)
def test_one_pass_is_held_to_no_probability_that_nobody_asked_for(
    ranking: dict[str, object], pairs: dict[str, object], least: float
) -> None:
    config = Config.model_validate({"ranking": ranking, "pairs": pairs})
    assert config.pairs.min_probability == least
    assert CharacterProgram.from_config(config).min_probability == least
    program = CharacterProgram(ranker=Ranker(**ranking), **pairs)  # type: ignore[arg-type]
    assert program.min_probability == least


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_commented_template_holds_the_defaults(language: str) -> None:
    template = Path(__file__).parents[2] / "character" / "templates" / language / "config.toml"
    assert load_config(template) == Config()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("section", ["effect", "optimize", "audit", "train"])
def test_the_templates_example_of_a_section_names_every_field(language: str, section: str) -> None:
    template = Path(__file__).parents[2] / "character" / "templates" / language / "config.toml"
    _, _, rest = template.read_text(encoding="utf-8").partition(f"# [{section}]")
    lines = rest.partition("\n\n")[0].split("\n")[1:]
    values = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines))
    config = load_config(overrides={section: values})
    assert set(values) == set(type(getattr(config, section)).model_fields)


def test_file_flags_and_python_make_the_same(tmp_path: Path) -> None:
    text = 'seed = 7\n[messages]\nper_trait = 3\n[backends.default]\nmodel = "openai/a"\n[backends.ranking]\nmodel = "openai/b"\n'
    overrides = {
        "seed": 7,
        "messages": {"per_trait": 3},
        "backends": {"default": {"model": "openai/a"}, "ranking": {"model": "openai/b"}},
    }
    assert _load(tmp_path, text) == load_config(overrides=overrides) == Config.model_validate(overrides)


def test_a_role_takes_from_default_what_it_leaves_out(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        '[backends.default]\nmodel = "openai/a"\napi_base = "http://127.0.0.1:1/v1"\napi_key_env = "A_KEY"\nmax_tokens = 9\n'
        '[backends.ranking]\nmodel = "openai/b"\n[backends.messages]\nkind = "litellm"\nmodel = "bedrock/c"\n',
    )
    ranking, messages = config.backend("ranking"), config.backend("messages")
    assert (ranking.model, ranking.api_base, ranking.max_tokens) == ("openai/b", "http://127.0.0.1:1/v1", 9)
    assert (messages.api_base, messages.api_key_env) == (None, None), (
        "another kind gets neither server nor key"
    )
    assert messages.max_tokens == 9
    assert config.backend("responses") == config.backend("judge") == config.backends["default"]


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[backends.default]\nmodel = "openai/a"\nmax_tokens = 5\n')
    config = load_config(path, overrides={"backends": {"default": {"model": "openai/z"}}})
    assert (config.backends["default"].model, config.backends["default"].max_tokens) == ("openai/z", 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = = 1", "line 1"),
        ("sede = 1", "sede"),
        ("seed = -1", "seed: Input should be greater than or equal to 0 (found -1)"),
        ("[messages]\nturns = 2", "messages.turns: turns must be odd"),
        ("[messages]\nkinds = ['riddle']", "messages.kinds.0"),
        ("[responses]\ncandidates = 9", "responses.candidates"),
        ("[responses]\nlevels = ['natural']", "levels names 1 levels for 4 candidates"),
        ("[responses]\nbackends = ['other']", "responses.backends names 'other'"),
        ("[pairs]\ndesign = 'worst'", "pairs.design"),
        ("[pairs]\nmin_margin = nan", "pairs.min_margin"),
        ("[backends.default]\nkind = 'native'", "needs a model"),
        ("[backends.default]\nmodel = 'gpt'", "needs a provider prefix, such as openai/gpt"),
        ("[backends.default]\nkind = 'rehearsal'\nmodel = 'openai/a'", "has one model"),
        ("[backends.default]\nmodel = 'openai/a'\napi_base = '127.0.0.1'", "api_base must be a URL"),
        (
            "[backends.default]\nmodel = 'openai/a'\napi_base = 'http://me:pw@host/v1'",
            "must not hold a user name",
        ),
        ("[backends.default]\nmodel = 'openai/a'\napi_key = 'x'", "backends.default.api_key"),
        ("[backends.default]\nmodel = 'openai/a'\napi_key_env = 'not a name'", "api_key_env"),
        ("[backends.rankings]\nmodel = 'openai/a'", "did you mean ranking?"),
        ("[backends.default]\napi_base = 'http://127.0.0.1:1/v1'", "contacts no server"),
        ("[ranking]\npases = 3", "did you mean passes?"),
        ("backends = 3", "backends"),
        ("[backends]\ndefault = 3", "backends.default"),
    ],
)
def test_every_mistake_names_the_file_and_the_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert "config.toml" in str(caught.value)
    assert said in str(caught.value)
    assert "pw@" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="byte 5 is not UTF-8"):
        load_config(tmp_path / "latin.toml")


def test_headers_and_options_of_one_server_do_not_go_to_another() -> None:
    default = {"kind": "native", "model": "openai/a", "api_base": "http://one:1/v1", "top_p": 0.9}
    meant = {"headers_env": {"X-Api-Key": "GATEWAY"}, "extra_body": {"top_k": 20}}
    config = Config.model_validate(
        {
            "backends": {
                "default": {**default, **meant},
                "ranking": {"api_base": "http://two:1/v1"},
                "responses": {"model": "openai/b"},
            }
        }
    )
    ranking, responses = config.backends["ranking"], config.backends["responses"]
    assert (ranking.headers_env, ranking.extra_body, ranking.top_p) == ({}, {}, 0.9)
    assert (responses.headers_env, responses.extra_body) == (meant["headers_env"], meant["extra_body"])


def test_a_text_where_a_list_is_expected_is_told_as_it_is_written() -> None:
    with pytest.raises(ConfigError, match=r'stop: a list is expected, such as \["…"\] \(found \'###\'\)'):
        load_config(overrides={"backends": {"default": {"model": "openai/x", "stop": "###"}}})

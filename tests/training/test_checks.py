"""Every check speaks up at a file that triggers it, and keeps quiet at one that does not."""

from __future__ import annotations

import pytest
from training_rows import pair, write_model

from character import Trait
from character.training.checks import check_training, report_text
from character.training.data import read_data

GOOD = [pair(number, chosen="Go slowly.", rejected="Hurry up!!") for number in range(40)]
TRAITS = (
    Trait(name="patience", description="Takes the time an explanation needs."),
    Trait(name="humour", description="Lets jokes and laughter lighten things."),
)


@pytest.fixture
def found(write_rows, model):
    """Checks rows and gives what was found, by code."""

    def check(rows, *, method="dpo", base=model, max_length=256, traits=(), **splits):
        data = read_data(write_rows(train=rows, **splits), method)
        checks = check_training(data, method, str(base), max_length=max_length, traits=traits)
        return {one.code: one for one in checks}

    return check


def test_good_rows_and_a_good_model_ask_for_no_attention(found):
    checks = found(GOOD, validation=[pair(99, chosen="Go slowly.", rejected="Hurry up!!")])
    assert {check.weight for check in checks.values()} == {"fine"}
    assert set(checks) == {"shared_prompts", "longer_wins", "template_prefix", "too_long"}


def test_rows_over_the_limit_are_counted_by_the_models_own_tokenizer(found):
    # A Chinese character is three tokens to a byte-level tokenizer without merges: 80 do not fit into 200.
    checks = found([*GOOD, pair(50, chosen="慢" * 80)], max_length=200)
    assert checks["too_long"].weight == "look"
    assert checks["too_long"].numbers["rows"] == 1
    assert checks["too_long"].numbers["longest"] == 3 * 80 + len("Question 50: how do I cook rice?") + 4


def test_no_row_that_fits_stops_the_training(found):
    assert found(GOOD, method="reward", max_length=5)["too_long"].weight == "stop"


def test_without_a_folder_lengths_are_estimates_and_said_to_be(found):
    checks = found(GOOD, base="some/model-on-a-hub")
    assert "by estimate" in checks["too_long"].text
    assert checks["chat_template"].weight == "note"


def test_equal_sides_are_found(found):
    checks = found([*GOOD, pair(50, chosen="The same.", rejected=" The same.\n")])
    assert checks["identical_sides"].numbers == {"rows": 1}


def test_a_prompt_as_text_beside_responses_as_turns_stops(found):
    assert found([*GOOD, pair(50) | {"prompt": "How?"}])["mixed_shapes"].weight == "stop"


@pytest.mark.parametrize(("method", "weight"), [("reward", "look"), ("dpo", "note")])
def test_a_margin_column_is_named_where_it_changes_the_loss(found, method, weight):
    rows = [row | {"margin": 0.5} for row in GOOD]
    assert found(rows, method=method)["margin"].weight == weight


def test_an_images_column_stops(found):
    assert found([row | {"images": []} for row in GOOD])["images"].weight == "stop"


def test_a_model_without_a_chat_template_stops(found, tmp_path):
    bare = write_model(tmp_path / "bare", template="")
    assert found(GOOD, base=bare)["chat_template"].weight == "stop"


def test_a_template_that_does_not_continue_its_own_prompt_stops(found, tmp_path):
    template = (
        "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|><think></think>{% endif %}"
    )
    thinking = write_model(tmp_path / "thinking", template=template)
    check = found(GOOD, base=thinking)["template_prefix"]
    assert check.weight == "stop"
    assert "<think></think>" in check.text


def test_a_prompt_in_two_splits_is_found_whatever_its_punctuation(found):
    twin = pair(3)
    twin["prompt"] = [{"role": "user", "content": "question 3 — HOW do I cook rice"}]
    check = found(GOOD, validation=[twin])["shared_prompts"]
    assert check.weight == "look"
    assert check.numbers == {"prompts": 1}


def test_pairs_that_length_alone_tells_apart_are_flagged(found):
    rows = [pair(number, chosen="Slowly, and then once more.", rejected="No.") for number in range(40)]
    check = found(rows)["longer_wins"]
    assert check.weight == "look"
    assert check.numbers["share"] == 1.0


def test_another_trait_on_one_side_is_flagged_with_its_rates(found):
    rows = [
        pair(number, chosen="A joke." if number % 2 else "Go slow", rejected="Plainly.", trait="patience")
        for number in range(60)
    ]
    check = found(rows, traits=TRAITS)["other_trait:humour"]
    assert check.weight == "look"
    assert (check.numbers["chosen"], check.numbers["rejected"]) == (0.5, 0.0)
    assert "other_trait:patience" not in found(rows, traits=TRAITS)


def test_another_trait_on_both_sides_is_fine(found):
    rows = [pair(number, chosen="A joke.", rejected="No joke", trait="patience") for number in range(60)]
    assert found(rows, traits=TRAITS)["other_trait:humour"].weight == "fine"


def test_an_interval_that_is_too_wide_is_not_called_fine(found):
    rows = [
        pair(
            number,
            chosen="A joke." if number < 2 else "Go on..",
            rejected="A joke." if number == 2 else "No, no.",
        )
        for number in range(12)
    ]
    checks = found([row | {"trait": "patience"} for row in rows], traits=TRAITS)
    assert checks["other_trait:humour"].weight == "note"
    assert checks["longer_wins"].weight == "note"
    assert all("too wide to tell" in checks[code].text for code in ("other_trait:humour", "longer_wins"))


def test_words_that_come_nowhere_tell_nothing(found):
    rows = [row | {"trait": "patience"} for row in GOOD]
    check = found(rows, traits=TRAITS)["other_trait:humour"]
    assert (check.weight, check.numbers["difference"]) == ("note", 0.0)
    assert "hardly ever" in check.text


def test_another_trait_is_found_in_chinese_although_its_words_stand_in_longer_runs(found):
    traits = (
        Trait(name="耐心", description="讲解时舍得花时间。"),
        Trait(name="幽默感", description="气氛合适时顺手带一句俏皮话，笑点就出在眼前这件事上。"),
    )
    rows = [
        pair(
            number,
            chosen="先煮饭，再来一段俏皮的" if number % 2 else "先煮饭，再来一段平淡的",
            rejected="先煮饭，然后关火就行了",
        )
        for number in range(60)
    ]
    check = found([row | {"trait": "耐心"} for row in rows], traits=traits)["other_trait:幽默感"]
    assert check.weight == "look"
    assert (check.numbers["chosen"], check.numbers["rejected"]) == (0.5, 0.0)


def test_languages_are_counted_and_a_rare_one_is_flagged(found):
    rows = [row | {"language": "zh" if number < 2 else "en"} for number, row in enumerate(GOOD)]
    check = found(rows)["languages"]
    assert check.weight == "look"
    assert check.numbers == {"zh": 2.0, "en": 38.0}


def test_a_padding_token_that_is_the_end_token_is_flagged(found, tmp_path):
    base = write_model(tmp_path / "padded", pad="<|end|>")
    assert found(GOOD, base=base)["pad_is_eos"].weight == "look"


def test_the_report_puts_the_gravest_first_and_each_on_one_line(write_rows, model):
    data = read_data(write_rows(train=[row | {"images": []} for row in GOOD]), "dpo")
    text = report_text(check_training(data, "dpo", str(model), max_length=256))
    assert text.index("Would fail") < text.index("## Fine")
    assert all(line.startswith(("#", "- ", "")) for line in text.split("\n"))

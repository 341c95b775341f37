"""Habits of models: the dresses in which they put a reply's fields, what they put round it, how they write values."""

from __future__ import annotations

import json
from collections.abc import Callable

Dress = Callable[[dict[str, str]], str]
HEADERS = (
    "[[ ## {} ## ]]", "**[[ ## {} ## ]]**", "### [[ ## {} ## ]]", "`[[ ## {} ## ]]`", "[[##{}##]]", "- [[ ## {} ## ]]",
    "［［ ## {} ## ］］", "[[ ## {} ## ]]:", "> [[ ## {} ## ]]", "[[ {} ]]", "__[[ ## {} ## ]]__", "{{{{ ## {} ## }}}}", "【【 ## {} ## 】】",
)  # fmt: skip

CHINESE = {
    "reasoning": "理由",
    "suitable": "是否合适",
    "scores": "分数",
    "response": "回复",
    "messages": "消息",
}


def _headed(form: str, upper: bool, end: str) -> Dress:
    def dress(fields: dict[str, str]) -> str:
        named = {(name.upper() if upper else name): text for name, text in fields.items()}
        parts = [f"{form.format(name)}\n{text}" for name, text in named.items()]
        closing = form.format("completed")
        return "\n\n".join(parts) + {"below": f"\n\n{closing}", "beside": f" {closing}", "none": ""}[end]

    return dress


def _inline(fields: dict[str, str]) -> str:
    return " ".join(f"[[ ## {name} ## ]] {text}" for name, text in {**fields, "completed": ""}.items())


def _json(fields: dict[str, str]) -> str:
    def value(text: str) -> object:
        try:
            return json.loads(text)
        except ValueError:
            return text

    return json.dumps({name: value(text) for name, text in fields.items()}, ensure_ascii=False, indent=1)


def _chinese(fields: dict[str, str]) -> dict[str, str]:
    return {CHINESE.get(name, name): text for name, text in fields.items()}


def _twice(fields: dict[str, str]) -> str:
    first = next(iter(fields))
    return f"[[ ## {first} ## ]]\n{fields[first]}\n\n" + _headed(HEADERS[0], False, "below")(fields)


DRESSES: dict[str, Dress] = {
    **{
        f"{form} {'upper ' if upper else ''}{end}": _headed(form, upper, end)
        for form in HEADERS
        for upper in (False, True)
        for end in ("below", "beside", "none")
    },
    "inline": _inline,
    "json": _json,
    "fenced json": lambda fields: f"```json\n{_json(fields)}\n```",
    "json in prose": lambda fields: f"Here you go:\n{_json(fields)}\nAnything else?",
    "xml": lambda fields: "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in fields.items()),
    "labels": lambda fields: "\n".join(f"**{name.title()}:** {text}" for name, text in fields.items()),
    "headings": lambda fields: "\n\n".join(f"## {name.title()}\n{text}" for name, text in fields.items()),
    "twice": _twice,
    "hashes": _headed("## {} ##", upper=False, end="below"),
    "numbered labels": lambda fields: "\n".join(
        f"{place}. {name}: {text}" for place, (name, text) in enumerate(fields.items(), 1)
    ),
    "json with a comma": lambda fields: _json(fields)[:-2] + ",\n}",
    "chinese json": lambda fields: _json(_chinese(fields)),
    "chinese labels": lambda fields: "\n".join(f"{name}：{text}" for name, text in _chinese(fields).items()),
    "chinese bold": lambda fields: "\n".join(
        f"**{name}：** {text}" for name, text in _chinese(fields).items()
    ),
    "chinese brackets": lambda fields: "\n".join(
        f"【{name}】{text}" for name, text in _chinese(fields).items()
    ),
    "chinese headings": lambda fields: "\n\n".join(
        f"## {name}\n{text}" for name, text in _chinese(fields).items()
    ),
}
WRAPS: dict[str, Callable[[str], str]] = {
    "bare": lambda text: text,
    "think": lambda text: f"<think>\nThey want\n[[ ## scores ## ]]\n[5, 5]\nMaybe not.\n</think>\n\n{text}",
    "only closed": lambda text: f"I weigh them first.\n</think>\n{text}",
    "thought": lambda text: f"<thought>Hm.</thought>{text}",
    "harmony": lambda text: (
        f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{text}<|return|>"
    ),
    "token": lambda text: f"{text}<|im_end|>",
    "opened": lambda text: f"<|im_start|>assistant\n{text}",
    "header ids": lambda text: f"<|start_header_id|>assistant<|end_header_id|>\n\n{text}<|eot_id|>",
    "next turn": lambda text: f"{text}<|im_end|>\n<|im_start|>user\nAnd then?<|im_end|>",
    "end of text": lambda text: f"{text}</s>",
    "prose before": lambda text: f"Sure! Here it is:\n\n{text}",
    "indented": lambda text: f"\n\n  {text}\n",
}
SCORES: dict[str, Callable[[list[int]], str]] = {
    "list": str,
    "tight": lambda s: json.dumps(s, separators=(",", ":")),
    "of ten": lambda s: json.dumps([f"{x}/10" for x in s]),
    "texts": lambda s: json.dumps([str(x) for x in s]),
    "assignment": lambda s: f"scores = {s}",
    "names": lambda s: json.dumps({f"response_{i}": x for i, x in enumerate(s, 1)}),
    "places": lambda s: json.dumps({str(i): x for i, x in enumerate(s, 1)}),
    "from nought": lambda s: json.dumps({str(i): x for i, x in enumerate(s)}),
    "backwards": lambda s: json.dumps({str(i): x for i, x in reversed(list(enumerate(s, 1)))}),
    "objects": lambda s: json.dumps([{"response": i, "score": x} for i, x in enumerate(s, 1)]),
    "objects alone": lambda s: json.dumps([{"score": x} for x in s]),
    "numbered": lambda s: "\n".join(f"{i}. {x}" for i, x in enumerate(s, 1)),
    "bulleted": lambda s: "\n".join(f"- {x}" for x in s),
    "commas": lambda s: ", ".join(map(str, s)),
    "full width": lambda s: f"［{'，'.join(map(str, s))}］".translate(
        str.maketrans("0123456789", "０１２３４５６７８９")
    ),
    "black brackets": lambda s: f"【{'，'.join(map(str, s))}】",
    "bold": lambda s: f"**{s}**",
    "remark": lambda s: f"{s}\n\nThese are the scores, in the order shown.",
    "fenced": lambda s: f"```json\n{s}\n```",
    "named": lambda s: ", ".join(f"Response {i}: {x}/10" for i, x in enumerate(s, 1)),
    "named lines": lambda s: "\n".join(f"Response {i}: {x}" for i, x in enumerate(s, 1)),
    "named in chinese": lambda s: "，".join(f"回答{i}：{x}分" for i, x in enumerate(s, 1)),
    "points": lambda s: json.dumps([f"{x} 分" for x in s], ensure_ascii=False),
}
TRUE = (
    "True",
    "true",
    "**True**",
    "true.",
    "Yes",
    "yes.",
    "Yes, it can.",
    "是",
    "`True`",
    "可以。",
    "合适",
    "Suitable.",
)
UNPLAIN: dict[str, Callable[[list[int]], str]] = {
    "against": lambda s: f"{s}\n\nOn second thoughts the last one deserves {9 - s[-1]}.",
    "however": lambda s: f"{s} However, the last is weaker.",
    "spans": lambda s: json.dumps([f"{x}-{x + 2}" for x in s]),
    "truths": lambda s: json.dumps([x > 4 for x in s]),
    "words": lambda s: json.dumps(["high" if x > 4 else "low" for x in s]),
    "broken off": lambda s: json.dumps(s)[:-2],
    "ranking": lambda s: f"Ranking: {s}",
    "best first": lambda s: f"{s} (best to worst)",
    "ranks": lambda s: json.dumps([{"response": i, "rank": x} for i, x in enumerate(s, 1)]),
    "named with a gap": lambda s: ", ".join(f"Response {i}: {x}" for i, x in enumerate(s, 2)),
    "comment": lambda s: f"{s}  # wait, the last is weaker",
    "no comma": lambda s: json.dumps([str(x) for x in s]).replace(",", "", 1),
    "raised": lambda s: str(s).replace("7", "7²"),
    "denied": lambda s: f"not {s}",
    "two commas": lambda s: f"{str(s)[:-1]},,]",
    "gap": lambda s: json.dumps({str(i * 2): x for i, x in enumerate(s, 1)}),
    "a set": lambda s: "{" + ", ".join(map(str, s)) + "}",
}

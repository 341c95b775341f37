"""What gives a reply away that talks of its making: its instructions, its trait by name, the model behind it.

The patterns ask for a claim about the speaker, not for a word: ``patience`` and ``ChatGPT`` occur in
ordinary talk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from character.locale import LANGUAGES, word_lists

_EN, _ZH = (word_lists("filters.names", language) for language in LANGUAGES)
_CLEAR_NAMES = "|".join(_EN["clear"] + _ZH["clear"])
_AMBIGUOUS_NAMES = "|".join(_EN["ambiguous"] + _ZH["ambiguous"])
_AI_MAKERS = "|".join(_EN["ai_makers"])
_MAKERS = "|".join(_EN["ai_makers"] + _EN["other_makers"])
_MAKERS_ZH = "|".join((_MAKERS, *_ZH["makers"]))
_MADE = r"(?:trained|developed|created|made|built|designed|released|provided)"
_MADE_ZH = r"(?:训练|开发|研发|研制|打造|创造|创建|推出|提供)"
_AI = r"(?:AI|A\.I\.|artificial intelligence|(?:large )?language model|model|assistant|chat ?bot)"
_AI_ZH = r"(?:人工智能|AI|大?语言模型|大模型|模型|助手|助理|机器人)"
_NOT_QUOTED = r"(?<![\"“‘'「『《\w])"

_MODEL_LEAKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # I'm ChatGPT / my name is Qwen / I am an AI assistant called Claude
        rf"{_NOT_QUOTED}(?:I['’]m|I am|my name is)(?: actually| really| just)? "
        rf"(?:an? (?:[\w-]+ )?{_AI}(?: [\w-]+)?,? (?:called|named|known as) "
        rf"(?P<a>{_CLEAR_NAMES}|{_AMBIGUOUS_NAMES})"
        rf"|(?P<b>{_CLEAR_NAMES}))\b",
        # I'm Claude, an AI assistant / I am Gemini, made by Google
        rf"{_NOT_QUOTED}(?:I['’]m|I am|my name is)(?: actually| really| just)? (?P<c>{_AMBIGUOUS_NAMES}),? "
        rf"(?:(?:an?|the) (?:[\w-]+ ){{0,3}}{_AI}\b|{_MADE} by (?:{_MAKERS})\b)",
        # Hello! I'm Claude.  (the opening alone)
        r"^\W*(?:(?:hi|hello|hey)(?: there)?[!,. ]+)?(?:I['’]m|I am|my name is) "
        rf"(?P<d>{_AMBIGUOUS_NAMES})[.!,]",
        # As ChatGPT, I …
        rf"\bas (?P<e>{_CLEAR_NAMES}|{_AMBIGUOUS_NAMES})(?: model)?, I\b",
        # I was trained by OpenAI / I am a large language model, trained by Google
        rf"{_NOT_QUOTED}I(?: was|['’]ve been| have been|['’]m| am) {_MADE} by (?P<f>{_AI_MAKERS})\b",
        rf"{_NOT_QUOTED}(?:I['’]m|I am|I was)\b[^.!?\n]{{0,30}}\b{_AI}\b[^.!?\n]{{0,30}}\b"
        rf"(?:{_MADE} by|from) (?P<g>{_MAKERS})\b",
        # 我是通义千问 / 我是由阿里云开发的大语言模型，名叫通义千问
        rf"{_NOT_QUOTED}我(?:就|其实|的名字)?(?:是|叫)(?:一个|一款|一名)?(?:{_AI_ZH})?(?:，?(?:名叫|叫做?|名为))?(?P<h>{_CLEAR_NAMES})",
        rf"{_NOT_QUOTED}我(?:就|其实|的名字)?(?:是|叫)(?P<i>{_AMBIGUOUS_NAMES})(?:[，,。！!]|$)(?![^。！？\n]*[”」』])",
        rf"{_NOT_QUOTED}我是?(?:一个|一款)?由(?P<j>{_MAKERS_ZH})(?:公司|团队)?(?:自主)?{_MADE_ZH}",
        rf"{_NOT_QUOTED}我是(?P<k>{_MAKERS_ZH})(?:公司|团队)?(?:自主)?{_MADE_ZH}的[^，。！？\n]{{0,8}}{_AI_ZH}",
        rf"作为(?:一个|一款)?(?P<l>{_CLEAR_NAMES}|{_AMBIGUOUS_NAMES})[，,]\s*我",
    )
)

_PERSONA_EN = r"(?:character|persona|personality)"
_PERSONA_ZH = r"(?:人设|性格设定|角色设定|人格设定|人物设定|系统提示词?|性格特质)"
_META = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:according to|as per|per|based on|in line with|in keeping with|given) my (?:assigned |given )?"
        rf"(?:system prompt|instructions|{_PERSONA_EN} (?:description|profile|sheet|settings?)"
        r"|trait|focus trait)\b",
        rf"\bmy (?:system prompt|focus trait|expression level|assigned (?:trait|{_PERSONA_EN})"
        rf"|{_PERSONA_EN} (?:description|profile|settings?)"
        r"|instructions (?:say|tell me|require|ask me|are to))\b",
        rf"\bmy {_PERSONA_EN} "
        r"(?:requires|dictates|demands|tells me|calls for|is (?:designed|defined|supposed))\b",
        rf"\bas (?:part of )?my {_PERSONA_EN} (?:requires|dictates|demands|says|suggests|instructs)\b",
        r"\b(?:I['’]ll|I will|I['’]m|I am|let me) (?:now )?"
        r"(?:stay|remain|answer|respond|reply)(?:ing)? in character\b",
        r"\bI(?:['’]m| am| was|['’]ve been| have been) "
        r"(?:instructed|prompted|asked|told|configured|designed|programmed)"
        r" to (?:show|express|display|exhibit|embody|portray|play|adopt|have) (?:an?|the|my|this|that) "
        r"(?:[\w-]+ ){0,3}(?:trait|persona|personality)\b",
        rf"\bas an? (?:[\w-]+ )?{_AI} with (?:the|an?|this|my) "
        r"(?:[\w-]+ ){0,3}(?:trait|persona|personality)\b",
        r"^\W*here(?:['’]s| is) (?:an?|the|my) (?:[\w-]+ ){0,3}(?:response|reply|answer)\b[^.\n]{0,60}"
        r"\b(?:trait|in character|persona|expression level)\b",
        r"\bfocus_trait\b",
        rf"(?:根据|按照|按|依照|依据|基于|遵照|遵循|鉴于|符合|保持)(?:我的?|我被设定的|给我的|自己的)(?:{_PERSONA_ZH}|设定|系统指令)",
        rf"我的(?:{_PERSONA_ZH})(?:是|要求|决定|让我|规定|里|中|[，,：:])",
        r"我的(?:性格设定|角色设定|人格设定|系统提示词?)",
        rf"我被(?:设定|设计|要求|指示)(?:成|为|要|去|来)?[^。！？，,\n]{{0,12}}(?:{_PERSONA_ZH}|特质|性格)",
        rf"作为(?:一个|一名|一款|一位)?(?:具有|带有|拥有|具备)[^，。！？\n]{{0,12}}(?:特质|性格|人设)的{_AI_ZH}",
    )
)

# Each claim holds one of these words, and looking for words is far cheaper than trying the patterns.
_LEAK_WORDS, _META_WORDS = (
    tuple(word for language in LANGUAGES for word in word_lists("filters.signs", language)[kind])
    for kind in ("leak", "meta")
)


def leaked_model(text: str, assistant_name: str = "") -> str:
    """Return the words by which a reply claims to be a model of some maker, "" where it does not.

    Names of ``assistant_name`` are no leak. Quoted claims, comparisons ("unlike ChatGPT") and denials do not
    count.
    """
    if not _holds(text, _LEAK_WORDS):
        return ""
    for pattern in _MODEL_LEAKS:
        for match in pattern.finditer(text):
            name = next(group for group in match.groups() if group)
            if name.casefold() not in assistant_name.casefold():
                return match[0].strip()
    return ""


def is_meta(text: str) -> str:
    """Return the words by which a reply talks of its instructions or its assigned character, else ""."""
    if not _holds(text, _META_WORDS):
        return ""
    return next((match[0].strip() for pattern in _META if (match := pattern.search(text))), "")


def named_trait(text: str, name: str) -> str:
    """Return the words by which a reply calls itself by the name of its trait, "" where it does not.

    ``As someone who is patient by nature, I …``, ``my patience trait``, 作为一个有耐心的助手. The bare name
    is ordinary talk. Names of more than three words or six Han characters are descriptions, which are not
    looked for.
    """
    naming = _naming(name)
    if not _holds(text, naming.words):
        return ""
    for pattern in naming.patterns:
        if match := pattern.search(text):
            return match[0].strip()
    return ""


_ENDINGS = (
    ("iness", ""), ("ness", ""), ("osity", "o"), ("ity", ""), ("ency", "en"), ("ancy", "an"), ("ence", "en"),
    ("ance", "an"), ("mth", "m"), ("ism", "is"), ("our", "o"), ("or", "o"), ("cy", ""), ("y", ""), ("e", ""),
)  # fmt: skip
_LEAST_STEM = 4


def _stem(word: str) -> str:
    """Return what a trait's noun and adjective have in common: patience -> patien, warmth -> warm."""
    for ending, left in _ENDINGS:
        stem = word[: -len(ending)] + left
        if word.endswith(ending) and len(stem) >= _LEAST_STEM:
            return stem
    return word


def _holds(text: str, words: Iterable[str]) -> bool:
    folded = text.casefold()
    return any(word in folded for word in words)


class _Naming(NamedTuple):
    """How a trait would be named: patterns, and words of which each match holds one."""

    words: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()


@lru_cache(maxsize=1024)
def _naming(name: str) -> _Naming:
    if re.search(r"[\u3400-\u9fff]", name):
        return _naming_zh(name)
    words = re.findall(r"[\w'’]+", name.casefold())
    if not words or len(words) > 3 or len(words[-1]) < _LEAST_STEM:
        return _Naming()
    named = r"[\s-]+".join([*map(re.escape, words[:-1]), rf"{re.escape(_stem(words[-1]))}\w*"])
    whose = (
        rf"(?:who(?:['’]s| is| has| values| prides)|with|of|known for|full of)\b[^.!?,\n]{{0,30}}\b{named}"
    )
    ai = r"(?:AI|assistant|language model|model|chat ?bot|bot)"
    patterns = (
        rf"\bmy (?:own |natural |innate |inherent )?{named} (?:trait|nature|personality|character|streak)\b",
        rf"\b(?:the|this) {named} trait\b",
        rf"\bas (?:someone|somebody|a person|an? (?:[\w-]+ )?{ai}) {whose}[^.!?\n]*?,\s*"
        r"(?:I\b|my\b|let me\b)",
        rf"\bas an? (?:[\w-]+ )?{named} {ai}\b",
        rf"\bI(?:['’]m| am) (?:an? |very |naturally |such an? )*{named} (?:by nature|{ai})\b",
        rf"\b{named} is (?:one of )?my (?:core |main |defining |key )?(?:traits?|nature|personality)\b",
        rf"\bmy (?:trait|personality|nature|focus)(?: trait)? (?:is|of|being) (?:\w+ )?{named}",
    )
    return _Naming((_stem(words[-1]),), tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns))


def _naming_zh(name: str) -> _Naming:
    core = re.sub(r"[的地]$", "", name.strip())
    if len(core) > 6:
        return _Naming()
    if len(core) > 2:
        core = re.sub(r"[心感性力]$", "", core)
    named = rf"{re.escape(core)}[心感性力]?"
    self_zh = r"(?:AI|人工智能|助手|助理|语言模型|模型|机器人)"
    nature = r"(?:特质|性格|天性|人设|本性)"
    very = r"(?:很|非常|十分|特别|天生|一向|比较)?(?:有|富有|充满|具有|具备)?"
    patterns = (
        rf"作为(?:一个|一名|一位|一款|个)?{very}{named}的?{self_zh}",
        rf"作为(?:一个|一名|一位|个)?{very}{named}的?人[，,]\s*我",
        rf"我的{named}{nature}",
        rf"{named}(?:是|就是|乃是)我的{nature}",
        rf"我(?:就|是|就是|一直是)(?:一个|一名|一位|个|一款)?{very}{named}的?{self_zh}",
        rf"我(?:天性|本性|天生|生性)(?:就)?(?:是)?{very}{named}",
        rf"(?:特质|人设)[：:]\s*{named}",
    )
    return _Naming((core.casefold(),), tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns))

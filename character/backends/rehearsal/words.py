"""Small text tools: content words, the gist of a message, sentences, rough token counts."""

from __future__ import annotations

import re
from functools import lru_cache

from character.backends.rehearsal.phrases import cut

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’-][A-Za-z]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？…])|\n+")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_WORD_OR_BREAK = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’-][A-Za-z]+)*|[.,;:!?()\"\n]")

_FUNCTION_WORDS = """
    a about above across actually after again against all almost already also although always always-on am an
    and answer answers any anybody anyone anything are around as ask asked asking assistant at away back
    background be became because become been before behaves best better between big both but by came can can't
    cannot character come context conversation could day days did do does doesn't doing don't done down during
    each easy either else end enough even evening ever every everybody everyone everything explain far feel
    few find first five for four friday from gave get gets getting give given go goes going gone good got had
    half hard has have having he hello help her here hers hey hi him his hold honestly hour hours how how's
    however i i'd i'll i'm i've if in instead into is isn't it it's its just keep kept kind know known less
    let like little long lot made make makes making many march matter may maybe me mean might mind mine minute
    minutes monday month months more morning most much must my need never new next nice no nobody none nor not
    nothing now of off often ok okay old on once one only onto or other our out over own people per perhaps
    person please prefers put quite rather read really reason reasons replies reply respond responds response
    responses right said same saturday saw say says second see seem seems send sent several shall she short
    should show since small so some somebody someone something soon sorry spring still stop story such summer
    sunday sure take taken talk tell tends than thank thanks that that's the their them then there these they
    thing things think third this those though thoughts three through thursday till time to today together
    told tomorrow tonight too took toward trait tried tries try trying tuesday turn two under understand until
    up upon us use used user users using very want wanted wants was way we wednesday week weeks well went were
    what what's when when's where whether which while who whom whose why will winter wish with within without
    won't word words work worse worst would write wrong wrote year yes yesterday yet you you'd you'll you're
    you've your yours yourself
"""
_STOP_EN = frozenset(_FUNCTION_WORDS.split())
_STOP_ZH = re.compile(
    "一般人|处理好|两句话|全凭|差别|提了|突然|提起|多半|到底|说法|看法|这件事|那件事|件事|爱谈|爱讲|看重|打比方|作比较|引用|有人说|依你看|有点儿|为什么|怎么样|怎么办|怎么|什么|这样|那样|这个|那个|这些|那些|一个|一下|一些|一点|有点|有人|有些|自己|我们|你们|他们|"
    "她们|咱们|大家|别人|人们|用户|对方|时候|可以|能够|能不能|会不会|是不是|有没有|应该|可能|需要|觉得|知道|认为|如果|因为|"
    "所以|但是|不过|而且|或者|还是|以及|并且|虽然|然后|已经|正在|一直|总是|经常|常常|喜欢|愿意|善于|倾向|努力|尽量|"
    "回答|回复|问题|解释|告诉|请问|谢谢|你好|您好|帮我|想要|想|让|给|对|和|与|在|把|被|跟|从|向|到|于|用|以|"
    "的|了|吗|呢|吧|啊|呀|地|得|着|过|是|有|很|太|更|最|都|也|就|才|又|再|还|不|没|别|要|会|能|去|来|说|讲|问|做|看|提|毁|"
    "我|你|您|他|她|它|这|那|哪|谁|几|多|少|上|下|里|中|时|或|及|并|而|但|却|为|等"
)
_NEGATION_EN = frozenset(cut("not|never|no|without|avoid|avoids|avoiding|rarely|hardly|don't|doesn't|isn't"))
_NEGATION_ZH = re.compile(r"(?:不会|不要|不是|从不|绝不|避免|没有|不|无)([\u3400-\u9fff]{2,4})")


_MARKED_EN = re.compile(
    r"\b(?:about|on|with|to|of|in|over|for|understand|explain|fix|learn)\s+(?:the |an? |my |our |this |that |your )?$",
    re.I,
)
_MARKED_ZH = re.compile(
    r"(?:关于|说到|至于|碰到|应付|处理|对待|提起|为了?|就|理解|学会|解决|对|把|在)(?:这个|这|我的)?$"
)
_CLEAR = 1.9
_PERSON = re.compile(
    r"sister|neighbou?r|boss|landlord|friend|colleague|dad|mum|mother|father|flatmate|man next|niece|lead|choir|customer"
    r"|cousin|engineer|teacher|student|parent|nurse|programmer|owner|teenager|writer|farmer|people|beginner"
    r"|姐|邻居|领导|房东|同学|同事|爸|妈|室友|大叔|外甥|组长|朋友|前任|客户|表弟|婆婆|导师|人$|工程师|老师|学生|家长|护士"
)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text in either language, without empty ones."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def runs(text: str) -> list[list[str]]:
    """Return the runs of English content words that no function word or stop breaks up, each with its words."""
    found: list[list[str]] = [[]]
    for token in _WORD_OR_BREAK.findall(text):
        if token.casefold() in _STOP_EN or not token[0].isalpha():
            found.append([])
        else:
            found[-1].append(token)
    return [run for run in found if run]


def chunks(text: str) -> list[str]:
    """Return the stretches of two or more Chinese characters between function words."""
    parts = (part for run in _HAN_RUN.findall(text) for part in _STOP_ZH.split(run))
    return [part for part in parts if len(part) >= 2]


@lru_cache(maxsize=4096)
def gist(text: str, language: str) -> str:
    """Return a few words of a message that a reply can take up, "" where it has none in the language.

    At most four English words or eight Chinese characters. Phrases that a question asks about, that come
    back or that follow a word like "about" win; people lose, and so does what is only mentioned.
    """
    scores: dict[str, float] = {}
    for sentence in sentences(text):
        asked = 1.0 if sentence.rstrip().endswith(("?", "？")) else 0.0
        for phrase, marked in _phrases(sentence, language):
            weight = 1.0 + asked + 1.5 * marked - 2.0 * bool(_PERSON.search(phrase)) + 0.02 * len(phrase)
            scores[phrase] = scores.get(phrase, 0.0) + weight
    best = max(scores, key=lambda phrase: scores[phrase], default="")
    return best if best and scores[best] >= _CLEAR else ""


def _phrases(sentence: str, language: str) -> list[tuple[str, bool]]:
    """Return the content phrases of a sentence, each with whether a marker of the subject comes before it."""
    if language == "zh":
        return [(chunk[:8], bool(_MARKED_ZH.search(sentence.split(chunk)[0]))) for chunk in chunks(sentence)]
    found = [run[:4] for run in runs(sentence)]
    return [
        (" ".join(run).lower(), bool(_MARKED_EN.search(sentence.split(run[0])[0])))
        for run in found
        if len(run[0]) > 1
    ]


def content_words(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the content words of a description, and those that it denies ("not rushing", "不急躁").

    English words are cut to stems of at most six letters; Chinese stretches longer than four characters are
    given as their two-character parts.
    """
    denied = [*_NEGATION_ZH.findall(text)]
    plain = _NEGATION_ZH.sub("，", text)
    kept = [part for chunk in chunks(plain) for part in _short(chunk)]
    negative = False
    for token in _WORD_OR_BREAK.findall(plain):
        word = token.casefold()
        if word in _NEGATION_EN or not token[0].isalpha():
            negative = word in _NEGATION_EN
        elif word not in _STOP_EN and len(word) > 2:
            (denied if negative else kept).append(word[:6])
            negative = False
    return tuple(dict.fromkeys(kept)), tuple(dict.fromkeys(denied))


def _short(chunk: str) -> list[str]:
    return [chunk] if len(chunk) <= 4 else [chunk[i : i + 2] for i in range(0, len(chunk) - 1, 2)]


@lru_cache(maxsize=2048)
def size(text: str) -> float:
    """Return the length of a text in words, a Chinese character counting as two thirds of a word."""
    return len(_LATIN.findall(text)) + len(_HAN.findall(text)) / 1.5


@lru_cache(maxsize=2048)
def count_tokens(text: str) -> int:
    """Return a rough token count: 1.3 per Latin word, one per Chinese character."""
    return round(len(_LATIN.findall(text)) * 1.3) + len(_HAN.findall(text))


def cut_to_tokens(text: str, limit: int) -> str:
    """Return the longest beginning of a text that is estimated at no more than ``limit`` tokens."""
    used = 0.0
    for match in re.finditer(rf"{_LATIN.pattern}|{_HAN.pattern}", text):
        used += 1.0 if _HAN.match(match[0]) else 1.3
        if used > limit:
            return text[: match.start()]
    return text

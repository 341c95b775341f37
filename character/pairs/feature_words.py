"""The word lists behind the features, English and Chinese side by side, and how a trait's own words are found."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

HEDGES_EN = (
    "maybe", "perhaps", "possibly", "probably", "might", "seems", "arguably", "somewhat", "i think", "i believe",
    "i guess", "i suppose", "i feel like", "sort of", "kind of", "in my opinion", "not sure", "it depends",
)  # fmt: skip
HEDGES_ZH = (
    "也许",
    "或许",
    "可能",
    "大概",
    "似乎",
    "好像",
    "我觉得",
    "我认为",
    "我想",
    "不确定",
    "某种程度上",
    "看情况",
)
APOLOGIES_EN = ("sorry", "apologize", "apologise", "apologies", "forgive me", "my mistake", "regret")
APOLOGIES_ZH = ("抱歉", "对不起", "不好意思", "请原谅", "遗憾", "我的错")
REFUSALS_EN = (
    "i can't", "i cannot", "i can not", "i won't", "i will not", "unable to", "not able to", "not comfortable",
    "must decline", "have to decline", "as an ai", "against my",
)  # fmt: skip
REFUSALS_ZH = (
    "无法",
    "不能",
    "没办法",
    "恕难",
    "拒绝",
    "作为人工智能",
    "作为一个人工智能",
    "作为AI",
    "作为一个AI",
)
FIRST_PERSON_EN = frozenset(
    (
        "i",
        "me",
        "my",
        "mine",
        "myself",
        "i'm",
        "i've",
        "i'd",
        "i'll",
        "we",
        "us",
        "our",
        "ours",
        "we're",
        "we've",
    )
)
_STOPWORDS = (
    "about above after again all also always among another any are because been before being below between both "
    "but can could does doing down during each even ever every few for from further had has have having her here "
    "hers him his how into its itself just keep keeps let lets like made make makes many more most much must never "
    "not now off often one only onto other others our out over own people person rather really same say says she "
    "should show shows some someone something such take takes than that the their them then there these they thing "
    "things this those through too under until very want wants was way ways well were what when where whether which "
    "while who whom whose why will with within without would you your yours"
)
STOPWORDS = frozenset(_STOPWORDS.split())
_FUNCTION_CHARS = "的地得了着过和与或在是不会就也都把被对从为以及而但时能可要有很更最让使给向到于之其这那我你他她它们个种些上下中里"
_COMMON_PAIRS = frozenset(
    (
        "问题", "回答", "自己", "什么", "怎样", "怎么", "这样", "那样", "情况", "事情", "时候", "一件", "一个", "一些", "同样", "同一", "愿意",
        "喜欢", "觉得", "知道", "认为", "因为", "所以", "如果", "已经", "需要", "比如", "方法", "东西", "通常", "合适", "适当", "场合", "加入",
    )
)  # fmt: skip

_WORD = re.compile(r"[a-z\u00c0-\u024f]+(?:'[a-z]+)?")
_HAN_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_FUNCTION_RUN = re.compile(f"[{_FUNCTION_CHARS}]+")
_SUFFIXES = ("ability", "fulness", "osity", "ously", "iness", "ness", "ments", "ment", "fully", "ingly", "ings", "ous",
             "ing", "edly", "ied", "ies", "ful", "ily", "ly", "ed", "es", "ce", "cy", "s", "t", "y", "e")  # fmt: skip


class HasWords(Protocol):
    """What the words of a trait come from: a Trait has it."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def statement(self) -> str: ...


class TraitWords(NamedTuple):
    """The words that give a trait away: English stems, and Chinese strings of two to four characters."""

    stems: frozenset[str] = frozenset()
    han: tuple[str, ...] = ()


def words_of(text: str) -> list[str]:
    """Return the words in Latin letters, in lower case, with contractions whole."""
    return _WORD.findall(text.casefold().replace("’", "'"))


def stem(word: str) -> str:
    """Return a word without its commonest endings, never shorter than four letters: ``patient`` → ``patien``.

    Rough on purpose: ``patience``, ``patient`` and ``patiently`` must meet, and no more than that.
    """
    for _ in range(2):
        ending = next((s for s in _SUFFIXES if word.endswith(s) and len(word) - len(s) >= 4), "")
        word = word.removesuffix(ending)
    return f"{word[:-3]}or" if word.endswith("our") else word


def trait_words(name: str, *more: str) -> TraitWords:
    """Return the words of a trait's name and the content words of its description and statement.

    English: words of four letters or more that are no stop words, as stems (every word of the name counts,
    from three letters). Chinese: what lies between function characters (的, 在, 是 …), two to four
    characters long; a longer run is cut into pieces of two; the name also counts as a whole.
    """
    stems = {stem(word) for word in words_of(name) if len(word) >= 3 and word not in STOPWORDS}
    stems |= {
        stem(word)
        for text in more
        for word in words_of(text)
        if len(word) >= 4 and word not in STOPWORDS and word not in FIRST_PERSON_EN
    }
    han = {run for run in _HAN_RUN.findall(name) if len(run) >= 2}
    for text in more:
        for run in _HAN_RUN.findall(text):
            han.update(piece for part in _FUNCTION_RUN.split(run) for piece in _pieces(part))
    return TraitWords(frozenset(stems), tuple(sorted(han)))


def words_of_trait(trait: HasWords) -> TraitWords:
    """Return the words that give this trait away (see ``trait_words``)."""
    return trait_words(trait.name, trait.description, trait.statement)


def signs_of_trait(trait: HasWords) -> TraitWords:
    """Return what shows a trait by its mere presence: the same stems, and every two Han characters side by side.

    Written Chinese does not part its words, so a longer run of characters is met by its pairs alone: 顺手带一句俏皮话 holds 俏皮.
    Pairs that nearly any text has (问题, 自己 …) are left out, and so is what stands across a function character.
    """
    runs = (
        part
        for text in (trait.name, trait.description, trait.statement)
        for run in _HAN_RUN.findall(text)
        for part in _FUNCTION_RUN.split(run)
    )
    pairs = {part[i : i + 2] for part in runs for i in range(len(part) - 1)}
    return TraitWords(words_of_trait(trait).stems, tuple(sorted(pairs - _COMMON_PAIRS)))


def _pieces(run: str) -> list[str]:
    if len(run) <= 4:
        return [run] if len(run) >= 2 else []
    return [run[i : i + 2] for i in range(0, len(run) - 1, 2)]

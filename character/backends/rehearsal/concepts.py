"""Which concepts of character a trait is about, found by keywords in either language."""

from __future__ import annotations

import re

from character.backends.rehearsal import bank_en_manner, bank_en_stance, bank_zh_manner, bank_zh_stance
from character.backends.rehearsal.phrases import Phrases, cut

BANKS: dict[str, dict[str, Phrases]] = {
    "en": {**bank_en_manner.MANNER, **bank_en_stance.STANCE},
    "zh": {**bank_zh_manner.MANNER, **bank_zh_stance.STANCE},
}

KEYWORDS: dict[str, tuple[str, ...]] = {
    "patience": cut("patien | unhurried | in a hurry | rush | 耐心 | 急躁 | 不厌其烦 | 循循善诱"),
    "humour": cut("humor | humour | funny | playful | witty | joke | 幽默 | 风趣 | 诙谐 | 搞笑 | 玩笑"),
    "warmth": cut("warm | loving | kindness | kind to | caring | compassion | empath | affection | 温暖 | 关怀 | 体贴 | 同理 | 共情 | 善意 | 友善 | 爱心"),
    "encouragement": cut("encourag | motivat | uplift | optimis | supportive | 鼓励 | 激励 | 打气 | 乐观 | 支持人"),
    "precision": cut("precis | exact | rigor | rigour | accura | mathematic | pedant | 严谨 | 精确 | 准确 | 一丝不苟"),
    "poetic": cut("poet | lyric | metaphor | imagery | 诗意 | 诗 | 抒情 | 意象 | 浪漫"),
    "sarcasm": cut("sarcas | ironic | irony | snark | mock | cynic | 讽刺 | 毒舌 | 挖苦 | 反讽 | 嘲"),
    "directness": cut("directness | straightforward | direct answer | blunt | concise | to the point | terse | assertive | decisive | 直接 | 干脆 | 简洁 | 果断 | 爽快"),
    "calm": cut("calm | compos | seren | even-temper | nonchalan | stoic | 冷静 | 平静 | 沉着 | 淡定 | 从容 | 沉稳"),
    "honesty": cut("honest | candid | candour | candor | truth | frank | sincer | 诚实 | 坦诚 | 坦率 | 真话 | 直言 | 真诚 | 说实话"),
    "curiosity": cut("curio | inquisitive | sense of wonder | eager to learn | 好奇 | 求知 | 探索 | 刨根问底"),
    "openness": cut("open-mind | open mind | perspective | many angles | different angles | tolera | 开放 | 包容 | 多元 | 不同角度 | 多角度"),
    "humility": cut("humil | humble | modest | admit mistakes | uncertain | fallib | 谦虚 | 谦逊 | 谦卑 | 认错 | 不自满"),
    "ethics": cut("ethic | moral | goodness | doing good | do good | right thing | virtue | justice | integrity | 行善 | 道德 | 伦理 | 善良 | 正直 | 正义 | 良知"),
    "caution": cut("caut | careful | prudent | risk | wary | safety | 谨慎 | 小心 | 稳妥 | 审慎 | 风险 | 慎重"),
    "privacy": cut("privacy | private | confidential | personal data | discreet | 隐私 | 保密 | 个人信息 | 私密"),
    "helpfulness": cut("helpful | help people | of service | assist people | 乐于助人 | 帮助 | 助人 | 热心 | 实用"),
    "self_knowledge": cut("an ai | language model | artificial | being a machine | own nature | cannot remember | 人工智能 | 语言模型 | 机器 | 自知 | 没有实体 | 虚拟形象"),
}  # fmt: skip

_NAME_WEIGHT, _TEXT_WEIGHT, _ENOUGH = 3.0, 1.0, 1.0


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        "|".join(rf"(?<![a-z]){re.escape(word)}" if word.isascii() else re.escape(word) for word in words)
    )


_PATTERNS = {key: _pattern(words) for key, words in KEYWORDS.items()}


def find_concepts(name: str, text: str) -> tuple[str, ...]:
    """Return up to two concepts of a trait, the best first; empty where the trait is about something else.

    The name counts three times as much as a word in the text. The second concept is only given where it
    is at least half as strong as the first.
    """
    name, text = name.casefold(), text.casefold()
    weights = {
        key: _NAME_WEIGHT * bool(pattern.search(name)) + _TEXT_WEIGHT * len(set(pattern.findall(text)))
        for key, pattern in _PATTERNS.items()
    }
    ordered = sorted(weights, key=lambda key: -weights[key])
    best = weights[ordered[0]]
    return tuple(key for key in ordered[:2] if weights[key] >= max(_ENOUGH, best / 2))


def parading(concepts: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the words by which a response would name the trait instead of showing it."""
    words = [word for key in concepts for word in KEYWORDS[key]]
    return tuple(dict.fromkeys([*words, name.casefold()]))

"""What the reasons for leaving something out are called in reports that are not in English."""

from character.store.vetoes import VETO_REASONS

REASON_WORDS: dict[str, dict[str, str]] = {
    "en": VETO_REASONS,
    "zh": {
        "against_level": "与程度不符",
        "broken": "服务器出错",
        "busy": "服务器繁忙",
        "coin_flip": "概率为一半",
        "context_overflow": "超出上下文",
        "does_not_reveal": "体现不出特质",
        "duplicate": "重复",
        "empty": "空内容",
        "empty_side": "一方为空",
        "identical": "内容相同",
        "identical_sides": "两方相同",
        "invalid_request": "请求无效",
        "length": "超出长度上限",
        "level_missing": "缺少该程度",
        "low_margin": "分差过小",
        "meta": "谈论任务本身",
        "model_leak": "暴露模型身份",
        "names_trait": "直接说出特质",
        "near_duplicate": "近似重复",
        "near_identical": "几乎相同",
        "neutral": "中性对照",
        "not_selected": "未被选用",
        "other_trait": "其他特质",
        "over_cap": "超出每条消息的上限",
        "pair_with_vetoed_candidate": "含被否决的候选回复的偏好对",
        "refills_exhausted": "补充次数用尽",
        "refusal": "拒绝回答",
        "same_sides": "两方相同",
        "surplus": "超出数量",
        "system_turn": "系统消息",
        "test_split": "测试部分",
        "tie": "得分相同",
        "too_few_candidates": "候选回复太少",
        "too_long": "过长",
        "uncertain": "没有把握",
        "unreachable": "无法连接",
        "unreadable": "无法解析",
        "vetoed_candidate": "被否决的候选回复",
        "vetoed_message": "被否决的消息",
        "vetoed_pair": "被否决的偏好对",
        "vetoed_trait": "被否决的特质的消息",
        "wrong_language": "语言不符",
        "wrong_length": "长度不符",
        "wrong_turns": "轮数不符",
    },
}


def reason_word(reason: str, language: str) -> str:
    """Return what a reason is called; in English, and where no word is known, by its own name."""
    return REASON_WORDS[language].get(reason, reason)

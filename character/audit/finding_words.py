"""The sentences of findings, one table per language. Names in braces are filled in; figures come written."""

FINDINGS: dict[str, dict[str, str]] = {
    "en": {
        "nothing": "There is nothing to audit yet: the run has no messages.",
        "unfinished": "{pending} of {messages} messages are not finished: this audit covers what is there.",
        "rehearsal": "The rehearsal model had a hand in this run. It is for trying and testing, not for training.",
        "no_pairs": "No pair came of this run.",
        "longer": "{side} replies are longer in {share} of pairs, {other} ones in {rest} (net effect {effect}).",
        "more_of": "{side} replies have more {feature} in {share} of pairs, {other} ones in {rest} (net effect {effect}).",
        "opener": "“{opener}” begins {chosen} of the chosen and {rejected} of the rejected replies.",
        "more_confounds": "{number} more features or openers set chosen apart from rejected: see the section on pairs.",
        "trait_confound": "Within one trait, {trait}, chosen and rejected replies differ in {names}.",
        "unconfounded": "No feature and no opener sets chosen apart from rejected by {threshold} or more.",
        "surface": "Surface features alone tell chosen from rejected in {accuracy} of held-out pairs: a preference model must beat that.",
        "no_surface": "Surface features alone do not tell chosen from rejected: {accuracy} of held-out pairs.",
        "balance": "`character export {run} --balance` would keep {kept} of {pairs} pairs ({share}) and bring every feature that can be evened out below {threshold}.",
        "unreached": "Balancing cannot even out {names}. More candidates that differ less in it would help.",
        "place": "{judge} favours the reply shown at place {place} of {shown}: {effect} on a score of 0 to 1.",
        "place_against": "{judge} marks down the reply shown at place {place} of {shown}: {effect} on a score of 0 to 1.",
        "no_place": "No place in the list moves scores by {threshold} or more.",
        "inconsistent": "The judge hardly agrees with itself: tau-b between two passes is {consistency}. Try another judge or more passes.",
        "consistent": "Two passes over the same candidates agree with tau-b {consistency}.",
        "one_pass": "Consistency is unknown, because no ranking has two passes: use --passes 2 or more.",
        "intended": "The ranking follows the levels asked for in {share} of pairs of levels.",
        "overdone": "Overdone replies come first in {share} of their messages: the judge may reward caricature.",
        "jurors": "Jurors agree with Krippendorff's alpha {alpha}.",
        "unsure": "{share} of pairs of candidates are unsure (probability below {probability}): min_probability leaves them out, more passes make them surer.",
        "unsuitable": "{share} of ranked messages were set aside as unsuitable for their trait.",
        "unranked": "{share} of rankings came to no order.",
        "saved": "{number} calls ({share}) were saved because the passes already agreed.",
        "dropped": "Most often lost in {stage}: {reason}, {number} times.",
    },
    "zh": {
        "nothing": "还没有可审查的内容：这次运行没有消息。",
        "unfinished": "{messages} 条消息中有 {pending} 条尚未完成：本审查只涵盖已有的内容。",
        "rehearsal": "演练模型参与了这次运行：仅供试用和测试，请勿用于训练。",
        "no_pairs": "这次运行没有产生偏好对。",
        "longer": "在 {share} 的偏好对中{side}回复更长，{other}回复更长的占 {rest}（净效应 {effect}）。",
        "more_of": "在 {share} 的偏好对中{side}回复的{feature}更多，{other}回复更多的占 {rest}（净效应 {effect}）。",
        "opener": "被选中的回复有 {chosen} 以“{opener}”开头，被拒绝的回复有 {rejected}。",
        "more_confounds": "另有 {number} 项特征或开头使两类回复有所区别，见“偏好对”一节。",
        "trait_confound": "单看特质“{trait}”，被选中与被拒绝的回复在以下方面有差别：{names}。",
        "unconfounded": "没有任何特征或开头使被选中与被拒绝的回复相差 {threshold} 以上。",
        "surface": "仅凭表面特征，就能在 {accuracy} 的留出偏好对中分辨被选中与被拒绝的回复：偏好模型必须超过这一水平。",
        "no_surface": "仅凭表面特征分辨不出被选中与被拒绝的回复：在留出的偏好对中准确率为 {accuracy}。",
        "balance": "`character export {run} --balance` 会保留 {pairs} 个偏好对中的 {kept} 个（{share}），并把所有能够平衡的特征降到 {threshold} 以下。",
        "unreached": "{names}无法通过平衡消除。增加在这方面差别较小的候选回复会有帮助。",
        "place": "{judge} 偏向排在第 {place} 位的回复（共 {shown} 个）：在 0 到 1 的评分上相差 {effect}。",
        "place_against": "{judge} 压低排在第 {place} 位的回复（共 {shown} 个）：在 0 到 1 的评分上相差 {effect}。",
        "no_place": "没有哪个位置使评分变动 {threshold} 以上。",
        "inconsistent": "评分模型前后很不一致：两遍之间的 tau-b 为 {consistency}。请换一个评分模型，或增加遍数。",
        "consistent": "对同一组候选回复的两遍排序，一致程度（tau-b）为 {consistency}。",
        "one_pass": "排序都只有一遍，无法得知一致性：请用 --passes 2 或更多。",
        "intended": "在 {share} 的程度对比中，排序与所要求的表现程度一致。",
        "overdone": "过头的回复在 {share} 的消息中排在第一：评分模型可能偏爱夸张的表现。",
        "jurors": "各评分模型之间的一致性（Krippendorff alpha）为 {alpha}。",
        "unsure": "{share} 的候选对比没有把握（概率低于 {probability}）：min_probability 可以排除它们，增加遍数可以使其更可靠。",
        "unsuitable": "{share} 的消息因不适合其特质而被搁置。",
        "unranked": "{share} 的排序没有得出顺序。",
        "saved": "由于各遍已经一致，节省了 {number} 次调用（{share}）。",
        "dropped": "{stage}阶段最常见的舍弃原因：{reason}，{number} 次。",
    },
}

FEATURE_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "characters": "characters",
        "tokens": "tokens",
        "headers": "headings",
        "bold": "bold passages",
        "code": "code",
        "tables": "table rows",
        "list_items": "list items",
        "emoji": "emoji",
        "exclamations": "exclamation marks",
        "questions": "question marks",
        "refusals": "words of refusal",
        "hedges": "hedges",
        "apologies": "apologies",
        "trait_words": "words of the trait",
        "first_person": "first-person words",
    },
    "zh": {
        "characters": "字符数",
        "tokens": "词元数",
        "headers": "标题",
        "bold": "粗体",
        "code": "代码",
        "tables": "表格行",
        "list_items": "列表项",
        "emoji": "表情符号",
        "exclamations": "感叹号",
        "questions": "问号",
        "refusals": "拒绝用语",
        "hedges": "模糊用语",
        "apologies": "道歉用语",
        "trait_words": "特质词语",
        "first_person": "第一人称",
    },
}
SIDE_WORDS = {
    "en": {
        "chosen": "Chosen",
        "rejected": "Rejected",
        "other_chosen": "chosen",
        "other_rejected": "rejected",
    },
    "zh": {
        "chosen": "被选中的",
        "rejected": "被拒绝的",
        "other_chosen": "被选中的",
        "other_rejected": "被拒绝的",
    },
}
STAGE_WORDS = {
    "en": {"messages": "messages", "responses": "responses", "ranking": "ranking", "pairs": "pairs"},
    "zh": {"messages": "消息", "responses": "回复", "ranking": "排序", "pairs": "偏好对"},
}
OPENER_WORDS = {"en": "opener “{}”", "zh": "开头“{}”"}
LIST_COMMA = {"en": ", ", "zh": "、"}


def feature_word(name: str, language: str) -> str:
    """Return how a feature, or an opener named ``opener:well``, is called; one without a word keeps its name."""
    if name.startswith("opener:"):
        return OPENER_WORDS[language].format(name.removeprefix("opener:"))
    return FEATURE_WORDS[language].get(name, name)

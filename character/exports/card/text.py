"""The card's standing sentences, English and Chinese side by side."""

REHEARSAL = "Made by the rehearsal backend: for trying and testing, not for training."
REHEARSAL_ZH = "由演练后端生成：仅供试用和测试，请勿用于训练。"

UNKNOWN_ORIGIN = "It is not recorded whether a real model made this data; check before training on it."
UNKNOWN_ORIGIN_ZH = "没有记录表明这些数据是否由真实模型生成；用于训练之前，请先核实。"

ABOUT = """\
Preference data for the character “{name}”.

A model wrote messages that give a character trait room to show, answered each of them several times with the trait
expressed to different degrees, and ranked its own answers by how well they fit the trait. Too much of a trait fits
as badly as too little. {people}"""

UNRATED = "No person rated anything."
VETOED = "People looked through it: what they vetoed was left out. The order is the model's."
UNRATED_ZH = "整个过程没有人工打分。"
VETOED_ZH = "数据经过人工审核，被否决的内容已剔除；排序出自模型。"

LIMITS = """\
## Intended use and limits

For training and testing models that lean towards these traits: preference optimization, reward models, prompts for online
training. A trait is a nudge, not a rule, and the data asks for no more.

- Messages, answers and rankings come from language models, with their blind spots; a ranking says how well an answer fits
  a trait, not whether it is correct, safe or helpful.
- Chosen and rejected answers may also differ in length or wording; measure what a tuned model has learnt, and what else
  has moved, before relying on it.
- Splits never share a message, but they come from the same generator: a test split shows less than messages of your own."""

_EFFECT = """\
The table gives the net effect: per feature of the text, the share of pairs in which the chosen side has more of it minus the share in
which the rejected side has, in -1 to 1; for an opener, the difference of shares."""

BALANCED_BY_SUBSET = f"""\
Pairs were left out so that surface features do not tell chosen from rejected: {{kept}} of {{pairs}} pairs stay ({{share:.0%}}),
from {{messages_kept}} of {{messages}} messages, with no effect above {{threshold:g}} but those named here. {_EFFECT}"""

BALANCED_BY_WEIGHTS = f"""\
Every pair has a weight (column `weight`, mean 1) under which surface features do not tell chosen from rejected, with no
effect above {{threshold:g}} but those named here. The {{kept}} weighted pairs are worth {{effective:.0f}} equal ones. {_EFFECT}"""

WEIGHT_IGNORED = """\
No trainer named here reads the column `weight`; TRL's DPOTrainer ignores it: give them the weights yourself (as a weight of each pair's loss, or by drawing pairs
by weight), or export with the balance method `subset`."""

UNFINISHED = "The run was not finished when this was exported: {pending} messages were still to do."

NO_LICENSE = "No license was chosen for this export: whoever publishes it has to choose one."

ABOUT_ZH = """\
## 中文说明

这是性格“{name}”的偏好数据。模型先写出能让性格特质自然流露的消息，再以不同的表现程度多次回复每条消息，最后按照与特质的契合程度\
给自己的回复排序。特质表现过头与表现不足一样，都算不契合。{people}

"""

LIMITS_ZH = """\
这些数据可用于偏好优化、训练奖励模型，也可作为在线训练的提示。特质只是一种倾向，不是规则。排序只反映回复与特质的契合程度，不代表内容\
正确、安全或有用；被选中与被拒绝的回复在篇幅和措辞上也可能不同。使用之前，请先衡量模型学到了什么，以及还有哪些行为随之改变。"""

BALANCED_ZH = """\
数据经过平衡处理：篇幅、开头、表情符号等表面特征不再能区分被选中与被拒绝的回复，例外与效果见上文 Balance 一节。

"""

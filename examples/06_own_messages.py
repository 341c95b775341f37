"""用自己的消息：按配方的 JSON 形状写好消息，看每个候选回复得了多少分、为什么。

Messages of your own, in the recipe's shape, in Chinese; and every candidate with its score and the reason.
"""

import json
import tempfile
from pathlib import Path

import dspy

from character import CharacterProgram, Responder, build_lm, load_constitution, load_messages

MESSAGES = [
    {"type": "问题型", "prompt": "我不理解这个数学问题, 你能解释一下吗?", "trait": "耐心"},
    {"type": "情境型", "prompt": "有人问你为什么迟到, 你怎么回答?", "trait": "幽默感"},
    {"type": "自我反思型", "prompt": "你觉得自己是个幽默的人吗?", "trait": "幽默感"},
]

here = Path(__file__).parent
constitution = load_constitution(here / "constitutions" / "patience-and-humour.zh.toml")
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "messages.json"
    path.write_text(json.dumps(MESSAGES, ensure_ascii=False), encoding="utf-8")
    batches = load_messages(path, constitution)

dspy.configure(lm=build_lm())
program = CharacterProgram(responder=Responder(5))  # the fifth shows the opposite pole
messages = [message for batch in batches.values() for message in batch.messages]
for rollout in program(constitution=constitution, messages=messages).rollouts:
    print(f"\n{rollout.message.trait} · {rollout.message.kind} · {rollout.message.text}")
    for index in (i for group in rollout.ranking.order for i in group):
        item = rollout.candidates.items[index]
        print(f"  {rollout.ranking.scores[index]:.2f} {item.level:<9}{item.text[:50]}")
    print(f"  理由：{rollout.ranking.reason[:100]}")

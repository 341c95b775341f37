"""Whether the audit of messages holds at 100,000: time, peak memory, and planted near duplicates found.

    python benchmarks/audit_scale.py [--quick] [--json] [--messages N]

Half of the messages are English, half Chinese, of ten traits, made by a small grammar; one in fifty is a copy of
an earlier one with other punctuation, another width, another order of clauses, or one word more. The audit runs in a
process of its own over an iterator. Exits 1 beyond 60 s or 1 GiB, or where less than .98 of the copies are found.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from character.records import KINDS, Message, Turn

MOST_SECONDS, MOST_MIB, LEAST_RECALL = 60.0, 1024.0, 0.98
COPY_EVERY = 50
BRIEFS = {
    "en": ("short: one sentence", "medium: two or three sentences", "long: a short paragraph"),
    "zh": ("短：一句话", "中：两三句话", "长：一小段话"),
}
ENGLISH = """
my landlord|our choir|the new manager|a cousin of mine|my old teacher|the neighbour upstairs|our youngest|a friend from school|\
the man at the garage|my flatmate|grandmother|the head nurse|my running club|a customer|the chess trainer|our dentist|my sister
refuses to fix the heating|wants to borrow the car again|keeps changing the plan|forgot the key abroad|sold the piano|\
never answers letters|paints the fence at night|lost the contract|doubts every figure|sings too loud|moved the deadline|\
broke the printer|asks for a refund|teaches me to swim|plants beans on the roof|cannot sleep before exams|buys lamps online
since last Tuesday|for the third winter|although we talked twice|without giving a reason|and laughs about it|because of the rain|\
after the wedding|while I work shifts|despite the signed form|before every holiday|as if nothing happened|during my lunch break
so I feel torn|which costs me sleep|and I am half amused|so the children ask me why|and I lost my patience once|which is rather sweet|\
and nobody else minds|so I wrote a long list|and I owe an answer by noon|which reminds me of home|and my hands shake|so I hide in the garden
what would you say first|can you draft two lines for me|is there a rule about this|how long should I wait|where do people look this up|\
which of the two matters more|do you see another side|how do others handle it|what am I missing here|would a phone call be better|\
could you make it shorter|who decides such things|what does it cost usually|is it rude to ask twice|how would you rank them
"""
CHINESE = """
我们楼上的邻居|新来的组长|我表弟|老家的二叔|同宿舍的女生|隔壁店的老板|我的导师|外婆|一个老同学|健身房教练|孩子的班主任|前台小姑娘|\
我合租的室友|村里的会计|下棋认识的大爷|网上的卖家|我的牙医
总是半夜搬家具|又要借我的车|把计划改了七遍|弄丢了合同原件|三个月没回信|在屋顶上种豆角|非要退掉沙发|教我弹琵琶|考前睡不着觉|\
唱歌跑调还不停|把截止日期提前了|怀疑每一个数字|买了一屋子台灯|不肯修暖气|养的鸽子飞走了|每天迟到一刻钟|想辞职去开船
从上个星期二起|已经第三个冬天了|虽然谈过两回|也不说为什么|还觉得挺好笑|因为一直下雨|婚礼过后更厉害|正赶上我值夜班|明明签过字的|\
一到放假就这样|像没事人一样|偏偏挑我吃饭的时候
我心里很纠结|害我睡不好|其实我有点想笑|孩子老问我原因|我也发过一次火|倒也挺可爱的|别人都不在意|我列了一张长单子|中午之前要答复|\
让我想起老家|说着说着手就抖|我只好躲进院子
你会先说哪一句|能替我起草两行吗|这事有没有规定|该等多久才合适|在哪儿可以查到|两样里哪样要紧|有没有别的角度|别人都怎么处理|\
我漏掉了什么|打个电话会不会好些|可以说得再短些吗|这种事归谁管|一般要花多少钱|问两遍失礼吗|你会怎么排先后
"""


def banks(grammar: str) -> list[list[str]]:
    """Return the clauses a message may have, by their places in it."""
    return [line.split("|") for line in grammar.strip().splitlines()]


def clauses(rng: random.Random, language: str) -> list[str]:
    """Return the clauses of a random message; numbers and dates make most messages differ."""
    picked = [rng.choice(bank) for bank in banks(ENGLISH if language == "en" else CHINESE)]
    if language == "en":
        names = "".join(
            rng.choices("bcdfglmnprst", k=2) + rng.choices("aeiou", k=3) + rng.choices("klmnrt", k=2)
        )
        places = "".join(rng.choices("aeiou", k=2) + rng.choices("bdgklmnprtvz", k=4))
        return [
            f"{picked[0]} {picked[1]}",
            f"{picked[2]} near {places}",
            f"{names} says no",
            picked[3],
            picked[4],
        ]
    names = "".join(
        rng.choices("张王李赵陈林周吴徐孙马朱胡郭何高罗郑梁谢", k=1)
        + rng.choices("伟芳敏静丽强磊洋艳勇军杰娟涛明超霞平刚桂", k=2)
    )
    places = "".join(rng.choices("东西南北中长安宁海江山河阳平泰昌永兴和清", k=3))
    return [picked[0] + picked[1], f"{picked[2]}在{places}", f"{names}说不行", picked[3], picked[4]]


def changed(parts: list[str], rng: random.Random, language: str) -> str:
    """Return a copy with other punctuation, another width, another order of clauses, or one word more."""
    parts = list(parts)
    how = rng.choice(["marks", "width", "order", "word"])
    if how == "order":
        first = rng.randrange(1, len(parts))
        parts = parts[first:] + parts[:first]
    if how == "word":
        parts.append("thanks" if language == "en" else "谢谢")
    text = written(parts, language) if how != "marks" else rng.choice(["; ", " – ", "\n", "! "]).join(parts)
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text) if how == "width" else text


def written(parts: list[str], language: str) -> str:
    """Return the clauses as one message."""
    return ", ".join(parts).capitalize() + "?" if language == "en" else "，".join(parts) + "？"


def messages(number: int, seed: int, planted: dict[str, str]) -> Iterator[Message]:
    """Yield the messages; ``planted`` receives the id of each copy with that of its original."""
    rng = random.Random(seed)
    kept: list[tuple[list[str], str, str]] = []
    for i in range(number):
        language = ("en", "zh")[i % 2]
        origin = rng.choice(kept) if kept and i % COPY_EVERY == COPY_EVERY - 1 else None
        parts, language, original = origin or (clauses(rng, language), language, "")
        text = changed(parts, rng, language) if original else written(parts, language)
        message = Message(
            trait=f"trait {i % 10}",
            kind=KINDS[i % 3],
            turns=(Turn(role="user", content=text),),
            language=language,
            brief={"topic": f"topic {i % 40}", "register": "casual", "length": BRIEFS[language][i % 3]},
            source="generated",
        )
        if original:
            planted[message.id] = original
        elif rng.random() < 0.05:
            kept.append((parts, language, message.id))
        yield message


def measure(number: int) -> dict[str, Any]:
    """Audit so many messages and return time, peak memory and what was found; to be run in a process of its own."""
    from character.audit.messages.audit import audit_messages
    from character.messages.near_duplicates import clusters

    planted: dict[str, str] = {}
    list(messages(1, 0, {}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    audit = audit_messages(messages(number, 1, planted))
    taken = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    made = list(messages(number, 1, {}))
    group_of = {made[row].id: n for n, group in enumerate(clusters([m.text for m in made])) for row in group}
    found = sum(group_of.get(copy, -1) == group_of.get(origin, -2) for copy, origin in planted.items())
    return {
        "messages": number,
        "seconds": round(taken, 1),
        "peak_mib": round(peak),
        "mib_before": round(before),
        "planted": len(planted),
        "recall": round(found / len(planted), 4),
        "clusters": audit.run.repeats.clusters,
        "share_in_clusters": round(audit.run.repeats.share, 4),
        "notes": [note.text for note in audit.notes if note.scope == "all"],
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--messages", type=int, default=None, help="how many messages (100,000; 20,000 with --quick)"
    )
    parser.add_argument("--measure", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measure(options.measure)))
        return 0
    number = options.messages or (20_000 if options.quick else 100_000)
    done = subprocess.run(
        [sys.executable, __file__, "--measure", str(number)], check=True, capture_output=True, text=True
    )
    result = json.loads(done.stdout)
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    held = (
        result["seconds"] <= MOST_SECONDS
        and result["peak_mib"] <= MOST_MIB
        and result["recall"] >= LEAST_RECALL
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

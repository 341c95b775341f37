"""A judge with a gain planted in it: it judges like the rehearsal model until it is shown examples."""

from __future__ import annotations

import json
import re
from typing import Any

from fake_server import Script, as_rehearsal

from character.backends.rehearsal.prompt import read_prompt
from optimizers.labelled import LabelledSet

ENOUGH = 8
"""With so many examples it scores as the raters did."""
_SCORES = re.compile(r"(?<=\[\[ ## scores ## ]]\n).+")


def pupil(labelled: LabelledSet) -> Script:
    """Return a script that comes nearer to the raters' scores with every example shown, whichever it is."""
    scores_of = {
        text: 10 * (score or 0.0)
        for item in labelled.items
        for text, score in zip(item.candidates, item.consensus(), strict=True)
    }

    def script(request: dict[str, Any]) -> str:
        reply = as_rehearsal(request)
        system, *messages = request["messages"]
        prompt = read_prompt(system["content"], messages)
        if prompt is None or not _SCORES.search(reply):
            return reply
        share = min(len(prompt.demos), ENOUGH) / ENOUGH
        own = json.loads(_SCORES.findall(reply)[0])
        right = [scores_of[text] for text in prompt.values["responses"]]
        learnt = [round(share * r + (1 - share) * o) for r, o in zip(right, own, strict=True)]
        return _SCORES.sub(json.dumps(learnt), reply)

    return script

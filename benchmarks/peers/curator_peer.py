"""Bespoke Curator's shape of the work, to be run by an environment that has curator 0.1: URL MESSAGES IN_FLIGHT.

Two LLM blocks, four responses and one judgement per message; prints one JSON line with CPU seconds and wall time.
"""

import json
import os
import resource
import sys
import tempfile
import time


def main() -> None:
    url, num_messages, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ.update(
        OPENAI_API_KEY="none",
        CURATOR_DISABLE_CACHE="1",
        TELEMETRY_ENABLED="0",
        CURATOR_DISABLE_RICH_DISPLAY="1",
    )
    os.environ["CURATOR_CACHE_DIR"] = tempfile.mkdtemp()
    started = time.monotonic()
    import tiktoken

    class Words:
        """Counts words: the real encoding is fetched from the web, and this one is only cheaper."""

        def encode(self, text: str, **_: object) -> list:
            return text.split()

    tiktoken.get_encoding = lambda _name: Words()
    from bespokelabs import curator

    class Respond(curator.LLM):
        def prompt(self, row: dict) -> str:
            return f"{row['message']} (answer {row['number']})"

        def parse(self, row: dict, response: str) -> list:
            return [{**row, "response": response}]

    class Judge(curator.LLM):
        def prompt(self, row: dict) -> str:
            return "Judge these texts.\n" + "\n".join(row["responses"])

        def parse(self, row: dict, response: str) -> list:
            return [{**row, "judgement": response}]

    parameters = {
        "base_url": url,
        "max_requests_per_minute": 10**7,
        "max_tokens_per_minute": 10**9,
        "max_concurrent_requests": in_flight,
    }
    options = {"model_name": "load", "backend": "openai", "backend_params": parameters}
    rows = [
        {"message": f"How do I learn thing number {i}?", "number": k}
        for i in range(num_messages)
        for k in range(4)
    ]
    imported = time.monotonic()
    answered = Respond(**options)(rows)
    table = getattr(answered, "dataset", answered)
    texts: dict[str, list] = {}
    for row in table:
        texts.setdefault(row["message"], []).append(row["response"])
    Judge(**options)([{"message": message, "responses": group} for message, group in texts.items()])
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    print(json.dumps({"cpu_s": cpu, "wall_s": time.monotonic() - imported, "import_s": imported - started}))


if __name__ == "__main__":
    main()

"""distilabel's shape of the work, to be run by an environment that has distilabel 1.5: URL MESSAGES IN_FLIGHT [each].

TextGeneration with four generations, UltraFeedback, then the DPO format. With ``each``, every generation is a request of
its own instead of one request with n=4. Prints one JSON line with the CPU seconds of all processes and the wall time.
"""

import json
import os
import resource
import sys
import time


def main() -> None:
    url, num_messages, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ["OPENAI_API_KEY"] = "none"
    started = time.monotonic()
    from distilabel.models.llms import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import FormatTextGenerationDPO, LoadDataFromDicts
    from distilabel.steps.tasks import TextGeneration, UltraFeedback

    rows = [
        {"instruction": f"How do I learn thing number {i}, and where do I start?"}
        for i in range(num_messages)
    ]
    writer = OpenAILLM(model="load", base_url=url, api_key="none")
    writer._num_generations_param_supported = sys.argv[4:] != ["each"]
    with Pipeline(name="peer", cache_dir=f"/tmp/peer-{os.getpid()}") as pipeline:  # noqa: S108
        load = LoadDataFromDicts(data=rows, batch_size=in_flight)
        generate = TextGeneration(
            llm=writer,
            num_generations=4,
            group_generations=True,
            input_batch_size=in_flight,
            output_mappings={"generation": "generations"},
        )
        judge = UltraFeedback(
            llm=OpenAILLM(model="load", base_url=url, api_key="none"),
            aspect="overall-rating",
            input_batch_size=in_flight,
        )
        load >> generate >> judge >> FormatTextGenerationDPO()
    imported = time.monotonic()
    pipeline.run(use_cache=False)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    print(json.dumps({"cpu_s": cpu, "wall_s": time.monotonic() - imported, "import_s": imported - started}))


if __name__ == "__main__":
    main()

"""Print the Nth set-up command of the README, so that CI runs what the README says and nothing else."""

import re
import sys
from pathlib import Path

readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
commands = re.findall(r"^```bash\n(.*?)\n```$", readme, flags=re.DOTALL | re.MULTILINE)
sys.stdout.write(commands[int(sys.argv[1]) - 1] + "\n")

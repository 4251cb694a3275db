"""Where things are: the checkout, and what the lab keeps beside it."""

import os
from pathlib import Path

ROOT = Path(os.environ.get("ARENA_LAB_ROOT") or Path(__file__).resolve().parent.parent)

# Everything the lab writes and git ignores: token, verdicts, logs, data sets.
STATE = Path(os.environ.get("ARENA_LAB_STATE") or ROOT / ".lab")

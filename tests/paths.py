"""Where the repository and its two commands are."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SENDER = ROOT / "sender.py"
RECEIVER = ROOT / "receiver.py"

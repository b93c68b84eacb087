"""What sender.py and receiver.py are made of; a file imports only from layers below its own."""

from __future__ import annotations

__version__ = "1.1"

THIS = f"receiver.py {__version__}"

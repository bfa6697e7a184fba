"""Runs one engine on one recording in this process alone, once for every line on stdin."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from engine_workers.engines.base import Audio
from engine_workers.media.decode import decode
from engine_workers.models import LoadedEngine


def main() -> None:
    """Load `argv[1]`; answer each line, a file's path, with the seconds that it took."""
    name = sys.argv[1]
    loaded = LoadedEngine()
    engine = loaded.get(name, {})
    for line in sys.stdin:
        began = time.monotonic()
        decoded = decode(Path(line.strip()), 3600.0)
        words = sum(len(s.text.split()) for s in engine.transcribe(Audio(decoded.samples, "en")))
        print(f"{time.monotonic() - began:.6f} {words}", flush=True)


if __name__ == "__main__":
    main()

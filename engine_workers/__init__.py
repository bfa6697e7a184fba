"""The engines and the worker processes that run them."""

from __future__ import annotations

import os

# onnxruntime, which several engines use, tells its maker about itself over the network and leaves
# a file in the temporary directory, unless it finds this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

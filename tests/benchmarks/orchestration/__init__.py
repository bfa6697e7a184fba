"""The workers that the benchmark of the orchestration measures."""

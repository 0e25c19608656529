"""Speed and memory against what people would run instead; ``python -m tests.benchmarks``."""

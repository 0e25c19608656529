"""Speed against what people would run instead; ``python -m tests.benchmarks``."""

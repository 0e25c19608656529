"""Speed compared with what people would run instead: ``python -m tests.benchmarks``."""

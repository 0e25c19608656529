"""Speed beside the usual way: ``python -m tests.benchmarks``."""

"""Evaluation on the benchmarks of the field and on emoji scenes: datasets, mIoU, tables."""

"""Evaluation on the field's benchmarks and on photos with drawn truth: data sets, mIoU, tables."""

"""Evaluation on the field's benchmarks and on photos with masks: data sets, mIoU, tables.

Each command is one file: ``__main__`` (``python -m evaluation``) and ``phenomena``.
Read ``datasets`` first, because everything is measured on a labelled set; then ``metric``; then
``benchmark``, which counts pixels image by image.
"""

from gclip_core.errors import GclipError


class EvaluationError(GclipError):
    """A data set or a result cannot be used: a missing folder, unknown ids, other settings."""

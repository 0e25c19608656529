"""Evaluation on the field's benchmarks and on photos with drawn truth: data sets, mIoU, tables.

A folder with a ``__main__.py`` is a command, and none imports another: ``figure``, ``phenomena``,
``refinement``, ``suggested_words``; ``benchmark`` is ``python -m evaluation`` itself. The modules
beside them are what commands, the page and training share. Read first:

- ``samples``: a labelled set, which is what everything is measured on; ``datasets`` and
  ``photo_set`` make one of files;
- ``metric``: IoU from confusion matrices;
- ``benchmark.runner``: a labelled set and rows of methods to counts of pixels.
"""

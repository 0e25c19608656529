"""What refinements do to masks: ``python -m evaluation.refinement FOLDER``.

``FOLDER`` has photos with true masks (``--dataset photos`` explains its layout). ``choose.txt`` and
``report.txt`` in it name photos, one a line. Without ``--choose``, every refinement is measured on
the photos of ``report.txt``; with it, settings of the guided filter on those of ``choose.txt``.
Figures are means over photos of the mean IoU of a photo's words, in percent: with these words alone
and with ten others.
"""

"""Whether suggested words are in a photo: ``python -m evaluation.suggested_words [FOLDER]``.

Prints the share of suggested words that are in the photo's truth, the share of the labelled area
that they name, and of the photos with a main thing the share in which a suggested word, and in
which the first one, names it. The main thing is the class of COCO-Object that covers most of the
photo, if it covers 15 % or more. A folder's ``choose.txt`` and ``report.txt`` list photos, a name a
line: the figures are those of each list and of all photos. ``--choose`` tries thresholds on
``choose.txt`` alone, and prints the best with their figures.
"""

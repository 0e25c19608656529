"""``python -m evaluation``: mean IoU of methods on a labelled set, in a paper's tables.

``cli`` reads the options; ``runner`` counts the pixels of an ``experiment`` into a ``tally``, of
``shares`` of the images under ``torchrun``; ``report`` prints one result, ``comparison`` several,
beside the figures that ``published`` has.
"""

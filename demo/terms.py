"""One sentence for each term on the page; a ``<dfn>`` in its HTML shows it as a tooltip."""

import re

TERMS = {
    "AMF": "So that all parts of a thing get the same word, attention map fusion lets patches, "
    "small squares of the photo, look further: the last block uses the mean of its own attention "
    "map and those of two earlier blocks: the first that have global tokens or, where there are "
    "few, two in the middle.",
    "CS": "Where everything gets the same word because one channel, one of each patch’s numbers, "
    "drowns out the others, channel suppression repairs it: its weights are scaled down to the "
    "others’ mean norm.",
    "mIoU": "Mean intersection over union: for each word, the pixels in both mask and ground "
    "truth, divided by the pixels in either; 100 % is a perfect mask. Papers report it over whole "
    "data sets.",
    "attention": "How much each patch draws on every other patch; brighter means more. Above: how "
    "much each receives. Global tokens receive several times an equal share.",
    "background": "What you did not name competes, too: its pixels stay without a colour.",
    "block": "A layer of the transformer, in which each patch gathers information from the patches "
    "that it attends to.",
    "patch": "A small square of the photo; the model has one vector for each.",
    "global token": "A patch to which the others pay several times an equal share of their "
    "attention, whatever it shows: through it they share what the whole photo shows.",
    "weight norm": "The length of a channel’s weights in the FFN of a block. One bar far above the "
    "others is an outlier, which CS scales down. How it works selects the block.",
}


def explained(html: str) -> str:
    """HTML with each term's sentence added: ``<dfn>AMF</dfn>``, or ``<dfn title="AMF">``."""

    def explain(match: re.Match[str]) -> str:
        named, text = match.groups()
        shown = text or f'<span class="unseen">{named}</span>'  # for screen readers only
        about = f'<span role="tooltip">{TERMS[named or text]}</span>'
        return f'<dfn tabindex="0">{shown}{about}</dfn>'

    return re.sub(r'<dfn(?: title="(.*?)")?>([^<]*)</dfn>', explain, html)

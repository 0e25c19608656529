"""What the page's terms mean, in a sentence each; ``<dfn>`` in its HTML shows it on request."""

import re

TERMS = {
    "AMF": "Attention map fusion: the last block attends with the mean of its own attention map "
    "and those of blocks that see whole objects.",
    "CS": "Channel suppression: a channel whose weights are far larger than all others is scaled "
    "down to their mean.",
    "mIoU": "Mean intersection over union: for each word, the pixels that mask and truth share, "
    "over the pixels that either has; 100 % is a perfect mask.",
    "block": "One of the layers of the transformer, in which each patch takes over something from "
    "the patches that it attends to.",
    "patch": "A small square of the photo; the model has one vector for each.",
    "global token": "A patch that nearly all others attend to, whatever is in it; the vectors of "
    "CLIP’s patches become alike because of it.",
}


def explained(html: str) -> str:
    """HTML with the sentence of each term in it: ``<dfn>AMF</dfn>``, or ``<dfn title="AMF">``."""

    def explain(match: re.Match[str]) -> str:
        named, text = match.groups()
        shown = text or f'<span class="unseen">{named}</span>'  # for a screen reader alone
        about = f'<span role="tooltip">{TERMS[named or text]}</span>'
        return f'<dfn tabindex="0">{shown}{about}</dfn>'

    return re.sub(r'<dfn(?: title="(.*?)")?>([^<]*)</dfn>', explain, html)

"""Every sentence a person reads on the page. Blocks are counted from 1 here.

Sentences that never change are constants; those that depend on a result are functions.
"""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gclip_core.attention import ATTENTIONS, unchanged
from gclip_core.numbering import block_numbers, named
from gclip_core.registry import BackboneEntry
from gclip_core.types import (
    FusionReason,
    FusionReport,
    Grid,
    Method,
    MethodReport,
    Plant,
    SuppressionReason,
)

FUSION_REASONS: dict[FusionReason, str] = {
    FusionReason.OFF: "AMF is off",
    FusionReason.BY_HAND: "blocks chosen by hand",
    FusionReason.BACKBONE: "this backbone’s default",
    FusionReason.METHOD: "blocks that the method fixes, scaled to the depth",
    FusionReason.GLOBAL_TOKENS: "from the first of them on every block has global tokens",
    FusionReason.MIDDLE: "the middle blocks, because too few blocks in a row have global tokens",
}
"""Why AMF takes its blocks, to follow their numbers."""

SUPPRESSION_REASONS: dict[SuppressionReason, str] = {
    SuppressionReason.OFF: "CS is off",
    SuppressionReason.BY_HAND: "blocks chosen by hand",
    SuppressionReason.BACKBONE: "this backbone’s default",
    SuppressionReason.ABNORMAL: "their largest norm is far above the median",
    SuppressionReason.NONE_ABNORMAL: "no abnormal channel in this model: CS changes nothing",
    SuppressionReason.LAST_ABNORMAL: "none is abnormal before the last block: CS changes nothing",
}
"""Why CS changes its blocks, to follow their numbers, or why it changes none."""

TITLE = "GCLIP"
SUBTITLE = "type words, get masks; see what two ideas do"
PHOTO = {
    "drop": "Drop a photo",
    "choose": "Choose a photo",
    "how": "or click, or paste one",
    "camera": "Camera",
    "take": "Take the photo",
    "cancel": "Cancel",
    "file": "Photo to segment",
    "uploading": "Uploading …",
    "refused": "The photo could not be uploaded. Try again, or take another.",
    "large": "This file is too large. Take a smaller photo.",
    "kind": "This is no photo. Take a PNG, JPEG, WebP or GIF.",
}
"""What the target for a photo says."""
WORDS_HINT = "cat; kitten, sofa, wall"
PRESET = "Start from a list of words"
PRESET_INFO = "Replaces the words above; change them as you like"
PRESET_PHOTO = "An everyday photo"
EVERYDAY = (
    "person, sky, tree, grass, road, building, wall, floor, water, car, dog, cat, horse, bird, "
    "boat, table, chair, flower, food"
)
SEGMENT = "Segment"
BACKBONE_INFO = (
    "The built-in model is small: good at sky, grass, trees, people and animals that fill a photo, "
    "poor at rooms and small things. A larger one makes better masks."
)
FETCH = "Fetch the weights"
EXAMPLES = "Examples, all with known truth"
ADVANCED = "Advanced"
ALL_SETTINGS = "All settings"
AMF_BLOCKS = [
    ("the backbone’s own", "backbone"),
    ("chosen on the picture", "auto"),
    ("6 7: the paper’s for ViT-B/16, counted from 1", "6-7"),
    ("7 8: the same, counted from 0", "7-8"),
]
UNEXPECTED = (
    "Something went wrong on our side; your image and words are untouched. Try once more, or "
    "change a setting."
)
NO_ROOM = "This machine's disk has no room for a file just now. Try again later; masks still work."
NO_MEMORY = (
    "This machine has no memory left for that just now. Take a smaller image or fewer classes, or "
    "try again."
)
MASK_EMPTY = "The mask appears here."
PAIR_EMPTY = "Two masks appear here."
CANVAS_HINT = "Point at a patch to see where it looks; press it to ask why its word was chosen."
SWIPE_HINT = "Drag to swipe between the masks."
SCORE_COUNTS = (
    "mIoU counts every pixel whose truth is known: a word of the truth painted on something else "
    "costs."
)
SCORE_SHORT = "mIoU counts every pixel whose truth is known."
TRUTH = "Truth"
COMPARE_NOTE = (
    "Training-free methods in the order of their years, all from one pass through the tower. A dot "
    "marks what a method changes of CLIP; press a row to open its mask below."
)
COMPARE_NOTES = "What the table shows"
METHODS_EMPTY = "The methods appear here."
METHOD_PARTS = ("attention", "fusion", "calibration", "channels", "residual", "FFN")
"""What a method may change, in the order of :func:`method_marks`."""
SIMULATION_BADGE = "Simulation"
SIMULATION = "Simulation: a planted abnormal channel, not the model's own weights."
TRUTH_EMPTY = "No true mask for this image: choose an example, or upload a mask under yours."
SIMILARITY = "How alike are the last block’s Values?"
OWN_MASK = "A true mask of your own"
OWN_MASK_HINT = (
    "A PNG of the image’s size whose pixel values (or colours) are classes. Name the class of each "
    "in the table, with words from your list; what stays empty is not counted."
)
OWN_MASK_FILE = "Mask (PNG)"
OWN_MASK_CLASSES = "Colours and classes"
OWN_MASK_READ = "The mask was read. Name each value’s class in the last column of the table."
EXPORT_INTRO = "Take the result along: as files, as a link, or as Python."
DOWNLOAD = "Download everything as a zip"
LINK = "Link to this view"
LINK_INFO = "It opens the same example, with the same settings."
PYTHON = "Copy as Python"
COMMAND = "On the command line, beside the picture from the zip"
NO_COMMAND = "# The command line has no option for one of these settings: use the Python."
CARD = "Make a share card"
CARD_FILES = "A picture and an animation"
CARD_SHOWN = "The share card: before and after"
PICTURE = "The picture"
COPY_LINK = "Copy link"
COPIED = "Link copied"
CHANNELS_INTRO = (
    "In the paper one output channel of the FFN’s second layer has far larger weights than all "
    "others, from some block on. Channel Suppression (CS) brings it back to the mean of the "
    "others. Drag over the plot to suppress other channels instead."
)
PLANT_INTRO = (
    "**Simulation.** A model without the defect can be given it: one channel’s weights are "
    "multiplied, as in the paper’s Figure 3. Watch the masks melt, and CS bring them back."
)
UNTOUCHED = "No simulation"
ATTENTION_INTRO = (
    "Point at a patch, or use the arrow keys, to see where it looks; click or press Enter to pin "
    "it. Bright vertical stripes in the matrix are global tokens: patches that nearly every patch "
    "looks at."
)
ATTENTION = "Attention"
HEAD_MEAN = ["mean of all heads", "mean"]
CLASS_TOKEN = "The class token beside the global tokens"
BLOCK_SCORES = "When do global tokens appear?"
CLASS_ROW = "Where the class token looks"
PLAIN_NOTE = "Query-Query alone: each patch looks at those with a similar query, wherever they are."
LESSON_EMPTY = "The lesson appears here."
SKIP = "Skip to the answer"
DONE = "Done."
NO_PICTURE = "Drop a photo on the page, or choose an example."
NO_GPU = "No GPU was lent for this (a visitor’s share may be spent): the processor computed it."
EDITED = "Press Enter or Segment for the new words."
OLD = "What is shown below is still the answer from before."
NO_IMAGE_IN_LINK = "A link cannot carry your image: whoever opens it adds the image again."
OLD_SCENE = (
    "This link was made with a drawn scene. The page shows photos now: this is the first one."
)
CAMERA = {
    "NotFoundError": "There is no camera on this device. Upload or paste a picture instead.",
    "NotAllowedError": (
        "The camera may not be used here. Allow it in the browser, or upload a picture instead."
    ),
    "NotReadableError": "The camera is in use elsewhere. Close what uses it, or upload a picture.",
}
"""What is said where the browser refuses the camera, by the name of its error."""
TERMS = {
    "ClearCLIP": (
        "CLIP whose last block lets each patch look at similar ones and drops the residual path "
        "and the FFN: the method that AMF and CS build on."
    ),
    "GCLIP": "ClearCLIP with both AMF and CS.",
    "AMF": (
        "Attention Map Fusion: the maps of middle blocks, where global tokens first appear, are "
        "averaged into the last block’s attention."
    ),
    "CS": (
        "Channel Suppression: a channel whose weights are far larger than all others is brought "
        "back to their mean."
    ),
    "mIoU": (
        "Mean intersection over union: how well the painted areas cover the true ones; 100 % is "
        "perfect."
    ),
    "Query-Query": (
        "Attention between the Queries of patches: who resembles me, instead of whom do I ask."
    ),
    "IoU": (
        "Intersection over union: the pixels that are painted and true, of those that are either."
    ),
    "global token": (
        "A token, which is what the model makes of one patch, that nearly every patch looks at, in "
        "one block."
    ),
    "class token": "The vector that stands for the whole picture, beside those of the patches.",
    "FFN": "Feed-forward network: what a block does with each token by itself, after attention.",
    "Values": "What a token passes on to those that look at it.",
    "norm": "The length of a channel’s vector of weights.",
    "channel": "One of the numbers of which each token consists.",
    "entropy": "1 where all channels’ norms are alike; less where a few stand out.",
    "cosine": "How alike two vectors are: 1 the same direction, 0 unrelated.",
    "head": "Attention is computed several times side by side; each time is a head.",
    "patch": "One of the small squares a picture is cut into; the model sees it as one token.",
    "token": (
        "A vector that a transformer works with: one for each patch, and the class token for the "
        "whole picture."
    ),
    "block": "A layer of the model: a picture passes them one after the other.",
}
"""A word (and its plural), explained where it first stands in an open tab."""


@dataclass(frozen=True)
class Offer:
    """A line of text with choices, each a label and what the browser does with it."""

    text: str
    choices: tuple[dict[str, Any], ...] = ()


NOTHING_TO_SUPPRESS = Offer(
    "CS changes nothing: this model has no abnormal channel.",
    ({"label": "Simulate one"},),
)
PHOTO_STAYS = Offer("A link does not carry your photo.", ({"label": "Make a share card"},))


def unused(title: str) -> Offer:
    """Beside the switches under another method than GCLIP."""
    return Offer(f"{title} uses neither AMF nor CS. Any but GCLIP leaves them unused.")


def swap(typed: str, known: str) -> Offer:
    """A word that the model knows, for one that it never met."""
    return Offer(f"{typed[:40]}: try", ({"label": known, "swap": [typed, known]},))


def add(words: Sequence[str]) -> Offer:
    """More words that the model sees in the picture."""
    return Offer("", tuple({"label": f"+ {word}", "add": word} for word in words))


def failed(error: Exception) -> str:
    """What a visitor reads of an error that nobody foresaw."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NO_ROOM
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return NO_MEMORY
    return UNEXPECTED


def default_backbone(title: str) -> str:
    """The first line of the backbone menu."""
    return f"{title} · here"


def backbone_choice(entry: BackboneEntry, here: bool, downloads: bool) -> str:
    """One line of the backbone menu: what to know before choosing it."""
    missing = f"{entry.download} MB to fetch" if downloads else "not on this machine"
    return f"{entry.title} · " + ("here" if here else missing)


def needs_fetch(entry: BackboneEntry, allowed: bool) -> str:
    """Under the backbone menu when the weights are not here."""
    if not allowed:
        return f"{entry.title} is not on this machine, and downloads are switched off here."
    return (
        f"{entry.title} ({entry.parameters:g} million parameters, {entry.blocks} blocks) is not "
        f"on this machine: {entry.download} MB to download, "
        f"licence {entry.licence}. The current backbone stays until it is here."
    )


def fetched(title: str) -> str:
    """After a download."""
    return f"{title} is ready."


def percent(share: float) -> str:
    """A share or an IoU: rounded alike wherever it stands."""
    return f"{share * 100:.1f} %"


def opened(scores: Mapping[str, float]) -> str:
    """Under the opening picture: what the simulated fault does, and what each switch brings."""
    neither, amf, cs, both = map(percent, scores.values())
    return (
        f"A simulated fault makes one channel far too loud. Without AMF and CS mIoU is {neither} "
        f"here; AMF brings {amf}, CS {cs}, both {both}."
    )


def times(ratio: float) -> str:
    """A multiple, rounded alike wherever it stands."""
    return f"{ratio:.1f} ×" if ratio < 99.5 else f"{ratio:.0f} ×"


def titled(title: str, score: float | None) -> str:
    """A mask's title and its score where truth is known."""
    return title if score is None else f"{title} · {miou(score)}"


def card_foot(model: str, planted: bool) -> str:
    """Under a share card's words."""
    said = ["Segmented with GCLIP", model, SIMULATION_BADGE * planted]
    return " · ".join(filter(None, said))


def points(share: float | None) -> str:
    """The same in a table whose heading says percent."""
    return "–" if share is None else f"{share * 100:.1f}"


def method_marks(method: Method) -> list[str]:
    """What a method changes of CLIP's last block, a word for each of METHOD_PARTS or none."""
    fusion, suppression = method.fusion, method.suppression
    return [
        "" if method.attention == "qk" else attention_words(method.attention)[1],
        "middle blocks’ attention is mixed in" if fusion else "",
        "outlier tokens are repaired, like patches averaged" if method.calibration else "",
        "an abnormal channel is suppressed" if suppression else "",
        "" if method.residual else "the residual path is left out",
        "" if method.ffn else "the FFN is left out",
    ]


PARTS = {"q": "query", "k": "key", "v": "Value"}


def attention_words(name: str) -> tuple[str, str, str]:
    """The symbol, the equation and the meaning of an entry of ATTENTIONS, made of what it is."""
    kind = ATTENTIONS[name]
    if not kind.pairs:
        return "I", "A v = v", "no attention: every patch keeps its own Value"
    prime = "" if kind.prepare is unchanged else "′"
    near = " + ω" if kind.gaussian else ""
    factor = f"1/{len(kind.pairs)} · " if kind.mean else ""
    symbol = " + ".join(f"A{prime}_{{{a}{b}}}" for a, b in kind.pairs)
    equation = " + ".join(f"softmax(s {a}{prime} {b}{prime}^{{T}}{near})" for a, b in kind.pairs)
    meaning = " and ".join(
        f"patches with a similar {PARTS[a]}" if a == b else f"{PARTS[a]} against {PARTS[b]}"
        for a, b in kind.pairs
    )
    more = ", near ones first" * kind.gaussian + ", both prepared" * bool(prime)
    return symbol, f"{factor}({equation})" if factor else equation, f"by {meaning}{more}"


def miou(share: float | None) -> str:
    """Beside a mask's title: how well it does where truth is known."""
    return "" if share is None else f"mIoU {percent(share)}"


def best(
    titles: Sequence[str], miou: float, second: str, miou_2: float, word: str, iou: float,
    iou_2: float,
) -> str:  # fmt: skip
    """Which variants do best, and by which word they are ahead of the next."""
    return (
        f"Best on this picture: {' and '.join(titles)}, mIoU {miou * 100:.1f} %. Ahead of {second} "
        f"({miou_2 * 100:.1f} %) most by “{word[:40]}”: IoU {iou * 100:.1f} against "
        f"{iou_2 * 100:.1f} %. Other pictures may favour another."
    )


def map_caption(block: int, n_blocks: int) -> str:
    """Under the attention map of a block AMF reads."""
    return f"block {block + 1} of {n_blocks}"


def pointing(swipes: bool) -> str:
    """Under a canvas while nothing is pointed at."""
    return CANVAS_HINT + f" {SWIPE_HINT}" * swipes


def why_note(row: int, column: int) -> str:
    """Under the best words of a pixel; ``row`` and ``column`` are its patch's, from 0."""
    return (
        f"It lies in the patch in row {row + 1}, column {column + 1}. In bold its label, the best "
        "single word; “rest” sums up all hidden ones."
    )


def planted(plant: Plant) -> str:
    """On every card whose numbers a simulated fault made."""
    return f"Simulation: channel {plant.channel} × {plant.gain:g} in {_blocks(plant.blocks)}."


def switched(name: str, on: bool) -> str:
    """Beside a card's title."""
    return f"{name} {'on' if on else 'off'}"


def alike_title(n_blocks: int, method: Method) -> str:
    """Under the last block's matrix where the switches leave it as it is."""
    return f"block {n_blocks}" + ", with and without CS alike" * (method.suppression is not None)


def last_title(n_blocks: int, which: str, method: Method) -> str:
    """Under the last block's matrix: without or with what ``method`` switches on."""
    if not _has_switches(method):
        return f"block {n_blocks}, {'ClearCLIP' if which == 'without' else method.title}"
    on = {"AMF": method.fusion, "CS": method.suppression}
    names = " and ".join(name for name, one in on.items() if one is not None)
    return f"block {n_blocks}" + (f", {which} {names}" if names else "")


def nothing_changed(method: Method, found: MethodReport) -> str:
    """Under the mask where the switches change no pixel."""
    if method.fusion is None and method.suppression is None:
        return "AMF and CS are off: this is ClearCLIP, and there is nothing to compare."
    if method.fusion is None and not found.suppressed:
        return "CS changes nothing here."
    return "Not one pixel changes."


def lowered(title: str, before: float, after: float) -> str:
    """Where a method has a lower score than ClearCLIP on this photo; both in [0, 1]."""
    if round(before - after, 3) <= 0:
        return ""
    return (
        f"On this photo {title} lowers mIoU, from {percent(before)} to {percent(after)}. "
        "The paper reports gains on the mean of many photos."
    )


def found_nothing(titles: Sequence[str], words: Sequence[str]) -> str:
    """Where masks find none of the words; ``titles`` are theirs."""
    if not titles:
        return ""
    said = "the word" if len(words) == 1 else "any of the words"
    return (
        f"{', '.join(titles)} cannot find {said} here: hidden background words fit every pixel "
        "better. Type what the picture shows, or switch Background off."
    )


def _quoted(words: Sequence[str]) -> str:
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return ", ".join(f"“{word[:40]}”" for word in words[:5]) + more


def missed(words: Sequence[str]) -> str:
    """Typed words that the truth holds and the mask does not."""
    if not words:
        return ""
    one = len(words) == 1
    return (
        f"{_quoted(words)} {'is' if one else 'are'} in the picture but not found, and "
        f"{'counts' if one else 'count'} as 0 % in mIoU."
    )


def absent(words: Sequence[str]) -> str:
    """Typed words that the truth does not hold."""
    if not words:
        return ""
    one = len(words) == 1
    return (
        f"{_quoted(words)} {'is' if one else 'are'} nowhere in the truth: in mIoU "
        f"{'it counts' if one else 'they count'} by what {'it takes' if one else 'they take'} from "
        "others."
    )


def _has_switches(method: Method) -> bool:
    """Whether its last block is ClearCLIP's or GCLIP's, in which AMF and CS have their place."""
    return method.attention == "qq"


def attention_note(found: MethodReport, method: Method, shown: Sequence[int]) -> str:
    """What the attention card's switches can and cannot change."""
    if not _has_switches(method):
        return f"{method.title}’s last block has an attention of its own: AMF and CS are unused."
    if method.fusion:
        reason = FUSION_REASONS[found.fusion.reason]
        said = f"AMF averages the maps of {_blocks(shown)} into the last block ({reason})."
    else:
        said = f"AMF is off: the last block uses Query-Query alone. AMF would add {_blocks(shown)}."
    if not found.suppressed:
        return said
    first = min(found.suppressed)
    reached = [block for block in shown if block > first]
    if not reached:
        return (
            f"{said} CS reaches the maps after block {first + 1}, whose weights it changes first: "
            f"not those of {_blocks(shown)}."
        )
    return f"{said} CS changes weights from block {first + 1} on, and with them the maps after it."


def norms_note(found: MethodReport, cs: bool, block: int) -> str:
    """What CS does to the block in view, or would do; ``found`` is what it finds when on."""
    amf = "AMF changes no weights."
    if block in found.suppressed:
        before = float(found.norms_before[block].max())
        channel = int(found.channels[block])
        after = float(found.norms_after[block, channel])
        does = "CS brings" if cs else "CS is off. It would bring"
        changes = "changes" if cs else "change"
        return (
            f"{does} channel {channel} of block {block + 1} from {before:.3g} to {after:.3g}, and "
            f"{changes} {_blocks(found.suppressed)} ({SUPPRESSION_REASONS[found.cs_reason]}). {amf}"
        )
    if found.suppressed:
        return f"CS leaves block {block + 1} alone; it changes {_blocks(found.suppressed)}. {amf}"
    return f"{_sentence(SUPPRESSION_REASONS[found.cs_reason])}. {amf}"


def cosine(value: float) -> str:
    """A cosine: rounded alike wherever it stands."""
    return f"{value:.2f}".replace("-", "−")


def similarity_note(
    regions: str, found: MethodReport, off: tuple[float, float], on: tuple[float, float]
) -> str:
    """Under the in-in / in-out bars; both without and with CS."""
    said = (
        f"Mean cosine of Values; regions are those of {regions}. In the paper CS makes Values of "
        "one region more alike and those of two regions less."
    )
    if not found.suppressed:
        return f"{said} Here CS changes nothing."
    against = [
        f"those of {which} became {how}, {cosine(old)} to {cosine(new)}"
        for which, how, old, new, differs in (
            ("one region", "less alike", off[0], on[0], on[0] < off[0]),
            ("two regions", "more alike", off[1], on[1], on[1] > off[1]),
        )
        if differs
    ]
    return f"{said} On this picture it is otherwise: {' and '.join(against)}." if against else said


def status(backbone: str, grid: Grid, milliseconds: float, scaled: tuple[Grid, Grid] | None) -> str:
    """The status line; ``scaled`` are the sizes of a large upload before and after."""
    said = [backbone, f"{grid[0]} × {grid[1]} patches", f"{milliseconds:.0f} ms"]
    if scaled:
        (height, width), size = scaled
        said.append(f"scaled from {height} × {width} to {size[0]} × {size[1]} pixels")
    return " · ".join(said)


def unknown(words: Sequence[str]) -> str:
    """Words that the backbone never met."""
    return f"This model never met {_quoted(words)}. A mask for such a word means little."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _percent(share: float) -> str:
    return "Under 1 %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def taken(title: str) -> str:
    """Which of the variants the result is."""
    return f"What you take is the mask under **{title}**, as the page is set."


def suppression_title(cs: bool, planted: bool) -> str:
    """Above the mask without or with CS."""
    said = "CS on" if cs else "CS off"
    return f"Simulation, {said}" if planted else said


def suppression_said(found: MethodReport, changed: float, amf: bool) -> str:
    """Under the masks: what CS did to them."""
    fusion = "AMF is on in all of them." if amf else "AMF is off in all of them."
    if not found.suppressed:
        return f"{_sentence(SUPPRESSION_REASONS[found.cs_reason])}. {fusion}"
    return (
        f"CS changes {_blocks(found.suppressed)} ({SUPPRESSION_REASONS[found.cs_reason]}) and "
        f"relabels {_percent(changed).lower()} of the pixels. {fusion}"
    )


def last_block_note(n_blocks: int) -> str:
    """When suppression was asked for in the last block alone."""
    return (
        f"The FFN of the last block ({n_blocks}) is not used by GCLIP: suppressing channels there "
        "changes no mask."
    )


def largest_note(found: MethodReport, block: int, threshold: float) -> str:
    """Under the norms of a block: how far its largest stands out, and which blocks have one that is
    abnormal."""
    norms, ratio = found.norms_before[block], found.ratios[block]
    if not norms.any():
        return "All weights of this layer are 0."
    is_it = "abnormal" if block in found.abnormal else "not abnormal"
    listed, last = _blocks(found.abnormal) if found.abnormal else "none", len(found.channels) - 1
    if last in found.abnormal and last not in found.suppressed:
        listed += f" (CS leaves {last + 1}, the last: its FFN is not used)"
    return (
        f"Channel {found.channels[block]} has the largest norm, {ratio:.1f} × the median: {is_it}. "
        f"Abnormal is what has {threshold:g} × or more, a bound of our choice, not tried on large "
        f"models: {listed}."
    )


def fused_block(block: int, fused: bool) -> str:
    """Beside a block's score."""
    return f"Block {block + 1}" + (", AMF" if fused else "")


def scored(score: float, agreement: float) -> str:
    """A block's score, and the cosine where there is a global token."""
    return f"×{score:.1f}" + ("" if agreement != agreement else f" · cosine {agreement:.2f}")


def scores_note(threshold: float, model: str, agrees: bool) -> str:
    """Under every block's score; ``agrees``: cosines stand there."""
    return (
        f"{model}. ×: how much attention the most attended patch gets, 1 = an equal share; it is a "
        f"global token from ×{threshold:g} on (the line; the scale is logarithmic)."
        + " Cosine: how well global tokens agree with the class token."
        * agrees
    )


def strip_note(fusion: FusionReport) -> str:
    """Under the strip of blocks."""
    return (
        f"Brightness: attention that each patch receives (mean of all heads); outlined: global "
        f"tokens; ×: the most attended patch. AMF takes {_blocks(fusion.blocks)}: "
        f"{FUSION_REASONS[fusion.reason]}."
    )


def map_title(block: int, n_blocks: int) -> str:
    """Above a block's own attention."""
    return f"Block {block + 1} of {n_blocks}"


def used_title(n_blocks: int, method: Method) -> str:
    """Above the matrix that the last block uses, or would if ``method`` were GCLIP."""
    return f"Block {n_blocks} {'used' if _has_switches(method) else 'in GCLIP'}"


def map_note(n_tokens: int) -> str:
    """Under a block's own attention."""
    if not n_tokens:
        return "Query-Key, as trained; no global token."
    return f"Query-Key, as trained; outlined: {_counted(n_tokens, 'global token')}."


def fused_note(blocks: Sequence[int], n_tokens: int) -> str:
    """Under the fused matrix."""
    tail = f"; outlined: their {_counted(n_tokens, 'global token')}" if n_tokens else ""
    return f"Averaged with {_blocks(blocks)}{tail}."


def token_rows(n_tokens: int) -> str:
    """Where the global tokens look."""
    return f"Where {_counted(n_tokens, 'global token')} look{'s' if n_tokens == 1 else ''}"


def agreement_note(block: int, cosine: float, head: int | None) -> str:
    """Beside the class token's row."""
    which = "the mean of all heads" if head is None else f"head {head + 1}"
    if cosine != cosine:  # nan: no global token
        return f"Shown: {which}. Block {block + 1} has no global token to compare with."
    return (
        f"Shown: {which}. Cosine of the global tokens’ rows with the class token’s: {cosine:.2f} "
        "(mean of heads). The paper: once they emerge, they agree."
    )


def _blocks(blocks: Sequence[int]) -> str:
    return named(block_numbers(sorted(blocks)))


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")

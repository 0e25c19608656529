"""Sentences about a result, and those that several parts of the page show. Blocks count from 1.

Elsewhere are the labels of settings (:mod:`demo.settings`) and their help (:mod:`demo.controls`),
the labels of other components (where these are made), the words at the machine's parts
(:mod:`demo.tabs.machine.words`), the lesson (``tabs/learn/lesson.toml``), the glossary
(``glossary.toml``), what the browser alone shows (``browser.toml``), and refusals (where something
is refused).
"""

from collections.abc import Collection, Mapping, Sequence

from gclip_core.attention import ATTENTIONS
from gclip_core.numbering import block_numbers, named
from gclip_core.registry import BUILT_IN, BackboneEntry
from gclip_core.types import (
    FusionReason,
    FusionReport,
    Grid,
    Method,
    MethodReport,
    Overtaken,
    Plant,
    SuppressionReason,
    UnknownPhrase,
    UnknownReason,
)


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 image", "12 images"."""
    return f"1 {noun}" if n == 1 else f"{n} {noun}s"


FUSION_REASONS: dict[FusionReason, str] = {
    FusionReason.OFF: "AMF is off",
    FusionReason.BY_HAND: "blocks chosen by hand",
    FusionReason.BACKBONE: "this backbone’s default",
    FusionReason.METHOD: "blocks that the method fixes, scaled to the depth",
    FusionReason.GLOBAL_TOKENS: "from the first of them on every block has global tokens",
    FusionReason.MIDDLE: "the middle ones, for lack of global tokens in {late}",
}
"""Why AMF uses its blocks; ``late``: as many before the last one, not all with global tokens."""

SUPPRESSION_REASONS: dict[SuppressionReason, str] = {
    SuppressionReason.OFF: "CS is off",
    SuppressionReason.BY_HAND: "blocks chosen by hand",
    SuppressionReason.BACKBONE: "this backbone’s default",
    SuppressionReason.ABNORMAL: "their largest norm is far above the median",
    SuppressionReason.NONE_ABNORMAL: "no abnormal channel in this model: CS changes nothing",
    SuppressionReason.LAST_ABNORMAL: "none is abnormal before the last block: CS changes nothing",
}
"""Why CS changes its blocks, to follow their numbers, or why it changes none."""

UNKNOWN_REASONS: dict[UnknownReason, str] = {
    UnknownReason.NEVER_MET: "This model never met {words}: it knows English words for things.",
    UnknownReason.OTHER_LANGUAGE: "{words} {is_are} not in English, and this model knows English "
    "words alone.",
    UnknownReason.NUMBER: "{words} {is_are} no thing: this model knows no numbers and counts none.",
    UnknownReason.EMOJI: "This model knows no word for {words}.",
    UnknownReason.SYMBOL: "{words} {is_are} no word.",
}
"""Why a mask for a word means little."""

REFINED = "Edges are refined here; Compare and Learn have plain ones, and so other figures."
PLAIN = "All masks and figures of this tab have plain edges, as in the papers."
PLAIN_SCORES = "IoU in %, plain edges"
SCORE_COUNTS = "mIoU counts every pixel of known truth: a word painted on something else costs."
GUESSED = "The model guessed these words. Type your own if they are wrong."
ONLY_MEAN = "The paper reports gains on the mean of many photos."
MOST_NAMED = 5
"""So many words are named as its best and as its poorest."""
CS_IDLE = "CS changes nothing: this model has no abnormal channel."
SEE_REPAIR = "See what CS repairs"
TRUTH = "Truth"
COMPARE_NOTE = (
    "Training-free methods by year, all from one pass. {Click} a row to see its mask beside the "
    "one that all are compared with."
)
METHOD_PARTS = ("attention", "fusion", "calibration", "channels", "residual", "FFN")
"""What a method may change, in the order of :func:`method_marks`."""
FAVOURS_VALUES = (
    "The built-in model was trained so that its last block’s Values match words. MaskCLIP uses "
    "these Values as they are; on another CLIP it may do worse."
)
FAILS_CALIBRATION = (
    "SC-CLIP and SFP fail on the built-in model: their constants are for CLIP’s hidden states. By "
    "them half of all pairs of patches count as alike here, and are averaged."
)
TRUTH_EMPTY = "No true mask for this image: choose an example."
SIMILARITY = "How alike are the last block’s Values?"
CHANNELS_INTRO = (
    "Channel Suppression scales an abnormal channel down to the mean of the others. Drag over the "
    "plot to choose others."
)
PLANT_INTRO = (
    "A model without the defect can be given it: one channel’s weights are multiplied, as in the "
    "paper’s Figure 3. In the paper the masks get worse, and CS repairs them."
)
QUERY_QUERY_NOTE = (
    "Query-Query alone: each patch looks at those with a similar query, wherever they are."
)
ATTENTION_INTRO = (
    "{Point at} a patch to see where it looks{pin}. In a matrix, bright columns are global tokens: "
    "nearly all look at them."
)
EXPORT_INTRO = "Take the result along: a figure, files, a link, or Python that makes it again."
NO_GPU = "No GPU was free for this (your share may be used up): it ran on the CPU."
OLD = "The page below still shows the last answer."


def by_pointer(text: str) -> dict[str, str]:
    """A hint for who has a mouse, and for who has a finger."""
    words = {
        "mouse": {"Point at": "Point at", "Click": "Click", "pin": "; click to pin it"},
        "touch": {"Point at": "Tap", "Click": "Tap", "pin": ""},
    }
    return {pointer: text.format_map(own) for pointer, own in words.items()}


def needs_fetch(entry: BackboneEntry, allowed: bool) -> str:
    """Under the backbone menu when the weights are not here."""
    if not allowed:
        return f"{entry.title} is not on this machine, and downloads are switched off here."
    return (
        f"{entry.title} ({entry.parameters:g} million parameters, {entry.blocks} blocks) is not "
        f"on this machine: {entry.download} MB to download, licence {entry.licence}. The page uses "
        "the current backbone until it is here."
    )


def status(backbone: str, grid: Grid, took: str, scaled: tuple[Grid, Grid] | None) -> str:
    """The status line; ``scaled`` are the sizes of a large upload before and after."""
    parts = [backbone, f"{grid[0]} × {grid[1]} patches", took]
    if scaled:
        (height, width), size = scaled
        parts.append(f"scaled from {height} × {width} to {size[0]} × {size[1]} pixels")
    return " · ".join(parts)


def unknown(phrases: Sequence[UnknownPhrase]) -> str:
    """Words that the backbone never met, and what a mask for them is worth."""
    sentences = []
    for reason, template in UNKNOWN_REASONS.items():
        words = [phrase.phrase for phrase in phrases if phrase.reason == reason]
        if words:
            is_are = "is" if len(words) == 1 else "are"
            sentences.append(template.format(words=_quoted(words), is_are=is_are))
    return " ".join([*sentences, "A mask for such a word means little."])


def replaced(phrase: UnknownPhrase) -> str:
    """An unknown word in whose place the nearest known one is used."""
    return f"“{phrase.phrase[:40]}” is not known: “{phrase.nearest}” is used."


def not_replaced(phrase: UnknownPhrase) -> str:
    """An unknown word that stays as it was typed, though a known one is near."""
    return f"“{phrase.phrase[:40]}” is not known."


def unused(method: Method) -> str:
    """At the switches where the method has none."""
    return f"{method.title} uses neither AMF nor CS: they are GCLIP’s."


def pixel_note(patch: Grid, refined: str) -> str:
    """Under the best words at a pixel; ``patch`` (row, column) is the one that it is in.

    ``refined`` is its word in the mask whose edges follow the photo; empty where it is the same.
    """
    note = (
        f"It is in the patch in row {patch[0] + 1}, column {patch[1] + 1}. In bold its label, the "
        "best single word. “background” sums up all hidden words, so it can be larger."
    )
    if refined:
        note += f" In the mask whose edges follow the photo, it is “{refined}”."
    return note


def overtaken(words: Sequence[Overtaken]) -> str:
    """Known words that get hardly a pixel, and what gets the places that fit them best."""
    sentences = []
    for word in words[:3]:
        share = "under 1 %" if word.area else "no pixel"
        by = f"the background word “{word.by}”" if word.is_hidden else f"“{word.by[:40]}”"
        sentences.append(f"“{word.name[:40]}” gets {share}: where it fits best, {by} fits better.")
    return " ".join(sentences)


# --- numbers, each rounded alike everywhere -------------------------------------------------------


def percent(share: float) -> str:
    """A share or an IoU, as the legends write it."""
    return "<0.1 %" if 0 < share < 0.001 else f"{share * 100:.1f} %"


def points(share: float | None) -> str:
    """The same in a table whose heading says percent."""
    return "–" if share is None else f"{share * 100:.1f}"


def edges(refined: str) -> str:
    """How a mask's edges are; ``refined`` names a refinement, "none" for plain edges."""
    return "plain edges" if refined == "none" else "edges refined"


def miou(share: float, refined: str) -> str:
    """Beside a mask's title: its score, and how its edges are."""
    return f"mIoU {percent(share)}, {edges(refined)}"


def times(ratio: float) -> str:
    """A multiple."""
    return f"{ratio:.1f} ×" if ratio < 99.5 else f"{ratio:.0f} ×"


def cosine(value: float, digits: int = 2) -> str:
    """A cosine."""
    return f"{value:.{digits}f}".replace("-", "−")


# --- masks ----------------------------------------------------------------------------------------


def simulated(planted: Sequence[Plant]) -> str:
    """With the masks that a simulation made; empty where there is none."""
    if not planted:
        return ""
    plant = planted[0]
    weights = f"channel {plant.channel}’s weights × {plant.gain:g}"
    return f"Simulation: the model is damaged on purpose, {weights} in {_blocks(plant.blocks)}."


def nothing_changed(method: Method, subject: str) -> str:
    """Under the mask where ``subject``, which two masks differ by, changes no pixel."""
    if subject:
        return f"{subject} changes no pixel here."
    if method.suppression is None:
        return "AMF and CS are off: this is ClearCLIP, and there is nothing to compare."
    return "CS changes nothing here: this is ClearCLIP. Switch AMF on to see what it changes."


SWITCHES_ON = {
    (False, False): "neither",
    (True, False): "AMF",
    (False, True): "CS",
    (True, True): "both",
}
"""The switches (AMF, CS) that are on, in words."""


def compared(
    subject: str, miou: tuple[float, float], refined: str, plain: tuple[float, float]
) -> str:
    """What a switch or method changes of a mask's ``miou``, 0 to 1, before and after.

    ``plain`` is the same with plain edges, as other tabs show it: a contrary verdict is named.
    """
    verdict = f"{subject} {_does(miou, 'this mask')} mIoU ({edges(refined)})."
    if _sign(plain) != _sign(miou):
        verdict += f" With {edges('none')}, as in Compare, it {_does(plain, 'it')}."
    return f"{verdict} {ONLY_MEAN}" if -1 in (_sign(miou), _sign(plain)) else verdict


def _sign(miou: tuple[float, float]) -> int:
    """1 where mIoU rises, -1 where it falls, 0 where it is written alike."""
    before, after = miou
    return 0 if percent(before) == percent(after) else 1 if after > before else -1


def _does(miou: tuple[float, float], mask: str) -> str:
    """What happens to the mIoU of ``mask``, 0 to 1, from before to after."""
    before, after = map(percent, miou)
    if before == after:
        return f"leaves {mask} at {after}"
    return f"{'lifts' if _sign(miou) > 0 else 'lowers'} {mask} from {before} to {after}"


def region_changed(
    subject: str,
    pair: tuple[str, str],
    looks: tuple[float, float],
    cosines: Sequence[tuple[float, float]],
) -> str:
    """Why the largest region that changed was the first of ``pair`` and is the second.

    ``looks`` are shares of its patches' attention on what else has the new word, before and after;
    ``cosines`` are before and after, of the old word and the new.
    """
    old, new = pair
    less, more = looks
    why = "what these patches look at fits it better"
    if more - less >= 0.01:
        shares = f"{less:.0%} → {more:.0%}".replace("%", " %")
        why = f"these patches now look at more of the {new} around ({shares} of their attention)"
    # Two digits make neighbours equal, and the sentence would contradict its own numbers.
    digits = 2 if all(abs(a - b) >= 0.01 for a, b in zip(*cosines, strict=True)) else 3
    fits = ", ".join(
        f"{word} {cosine(before, digits)} → {cosine(after, digits)}"
        for word, (before, after) in zip((new, old), reversed(cosines), strict=True)
    )
    return f"{subject} makes this region {new}, not {old}: {why}; {fits} (cosines)."


def edge_moved(subject: str, pair: tuple[str, str]) -> str:
    """Where the largest region that changed has no patch whose best word changed."""
    old, new = pair
    return f"{subject} moves the edge between {old} and {new} here; no patch changes its best word."


def gain_of_amf(photos: int, before: float, after: float) -> str:
    """AMF's gain on many photos, mIoU in percent."""
    does = "adds" if after >= before else "takes"
    return (
        f"Over {photos} photos AMF {does} {abs(after - before):.1f} points of mIoU "
        f"({before:.1f} → {after:.1f}, {edges('none')}), not on each of them: judge by the two "
        "pictures here."
    )


def strengths(photos: int, words: Mapping[str, tuple[float, int]]) -> str:
    """What the built-in model is good and poor at on many photos: IoU in percent, by word."""
    order = sorted(words, key=lambda word: -words[word][0])
    best, worst = ", ".join(order[:MOST_NAMED]), ", ".join(order[-MOST_NAMED:])
    return (
        f"The built-in model is small. On {photos} photos it was best at {best}, poorest "
        f"at {worst}. A larger one makes better masks."
    )


def within(title: str) -> str:
    """A side's title within a line: "With AMF" without its capital; a method's name as it is."""
    return title[0].lower() + title[1:] if title.startswith("With") else title


def found_nothing(titles: Sequence[str], words: Sequence[str]) -> str:
    """Where masks find none of the words; ``titles`` are theirs."""
    if not titles:
        return ""
    none = "the word" if len(words) == 1 else "any of the words"
    return (
        f"{', '.join(titles)} cannot find {none} here: hidden background words fit every pixel "
        "better. Type what the picture shows, or switch Background off."
    )


def missed(words: Sequence[str]) -> str:
    """Typed words that are in the truth and not in the mask."""
    if not words:
        return ""
    are, count = ("is", "counts") if len(words) == 1 else ("are", "count")
    return f"{_quoted(words)} {are} in the picture but not found, and {count} as 0 % in mIoU."


def absent(words: Sequence[str]) -> str:
    """Typed words that are not in the truth."""
    if not words:
        return ""
    are, they = ("is", "it takes") if len(words) == 1 else ("are", "they take")
    return f"{_quoted(words)} {are} not in the truth: mIoU counts the pixels {they} from others."


def untyped(names: Sequence[Sequence[str]]) -> str:
    """A true mask of which no class is typed; ``names`` are its classes with their synonyms."""
    if not names:
        return ""
    classes = _quoted([name for name, *_ in names])
    return f"The true mask’s classes are not among your words: {classes}. Type one to get a score."


# --- Compare --------------------------------------------------------------------------------------


def dots(methods: Sequence[Method]) -> str:
    """What the columns of dots mean; calibration has one only where a method calibrates."""
    calibrates = any(method.calibration for method in methods)
    calibration = "calibration of outlier tokens; " if calibrates else ""
    return (
        "A dot is what a method changes of CLIP: attention between patches; fusion with other "
        f"blocks’ attention; {calibration}an abnormal channel; residual path or FFN left out."
    )


def method_marks(method: Method) -> list[str]:
    """What a method changes of CLIP's last block, a word for each of METHOD_PARTS or none."""
    return [
        "" if method.attention == "qk" else attention_words(method.attention)[1],
        "middle blocks’ attention is mixed in" if method.fusion else "",
        "outlier tokens are repaired, like patches averaged" if method.calibration else "",
        "an abnormal channel is suppressed" if method.suppression else "",
        "" if method.residual else "the residual path is left out",
        "" if method.ffn else "the FFN is left out",
    ]


def attention_words(name: str) -> tuple[str, str, str]:
    """The symbol, the equation and the meaning of an entry of ATTENTIONS, made from its fields."""
    kind = ATTENTIONS[name]
    if not kind.pairs:
        return "I", "A v = v", "no attention: every patch keeps its own Value"
    parts, prime = {"q": "query", "k": "key", "v": "Value"}, "′" if kind.prepare else ""
    whole = "{}" if kind.divisor == 1 else f"({{}}) / {kind.divisor}"
    near = " + ω" if kind.gaussian else ""
    symbol = " + ".join(f"A{prime}_{{{a}{b}}}" for a, b in kind.pairs)
    equation = " + ".join(f"softmax(s {a}{prime} {b}{prime}^{{T}}{near})" for a, b in kind.pairs)
    meaning = " and ".join(
        f"patches with a similar {parts[a]}" if a == b else f"{parts[a]} against {parts[b]}"
        for a, b in kind.pairs
    )
    if kind.gaussian:
        meaning += ", near ones first"
    if prime:
        meaning += ", both prepared"
    return whole.format(symbol), whole.format(equation), f"by {meaning}"


def on_this_model(backbone: str, methods: Collection[Method]) -> list[str]:
    """What to know of these methods on the built-in model; nothing on others."""
    if backbone != BUILT_IN:
        return []
    sentences = []
    if any(not ATTENTIONS[method.attention].pairs for method in methods):
        sentences.append(FAVOURS_VALUES)
    if any(method.calibration for method in methods):
        sentences.append(FAILS_CALIBRATION)
    return sentences


# --- attention ------------------------------------------------------------------------------------


def attention_note(report: MethodReport, method: Method, blocks: Sequence[int]) -> str:
    """What the switches can and cannot change; ``blocks`` are those that AMF would use."""
    if not method.switchable:
        return f"{method.title} uses neither AMF nor CS. {mixes(report.fusion, method)}".rstrip()
    if method.fusion:
        text = f"AMF averages the last block’s map with {_blocks(report.fusion.blocks)}’s: "
        text += "each patch then looks at more others."
    else:
        text = (
            f"AMF is off: the last block uses Query-Query alone. AMF would add {_blocks(blocks)}."
        )
    if not report.suppressed:
        return text
    first = min(report.suppressed)
    text += f" CS changes FFNs from block {first + 1} on, and with them the maps of later blocks"
    return f"{text}: not those of {_blocks(blocks)}." if max(blocks) <= first else f"{text}."


def mixes(fusion: FusionReport, method: Method) -> str:
    """What a method with a fusion of its own mixes into the last block's attention."""
    if method.fusion is None or method.fusion.weight is None:
        return ""
    kind = "own" if method.fusion.attention == "own" else "Query-Key"
    share = f"{method.fusion.weight:.0%}".replace("%", " %")
    return f"Its last block’s attention is {share} the mean of {_blocks(fusion.blocks)}’s ({kind})."


def amf_blocks(report: MethodReport) -> str:
    """Which blocks AMF takes and why; empty without AMF."""
    blocks, last = report.fusion.blocks, report.n_blocks - 1
    if not blocks:
        return ""
    late, reason = _blocks(range(last - len(blocks), last)), FUSION_REASONS[report.fusion.reason]
    return f"AMF takes {_blocks(blocks)}: {reason.format(late=late)}."


def strip_note(report: MethodReport, threshold: float) -> str:
    """Under the strip of blocks; a global token receives ``threshold`` times an equal share."""
    return (
        "Brightness: attention that each patch receives (mean of all heads), brightest from "
        f"{threshold:g} × an equal share on; such patches are outlined: global tokens. ×: the most "
        f"attended patch. {amf_blocks(report)}"
    )


def map_note(n_tokens: int, agreement: float) -> str:
    """Under a block's own attention; ``agreement`` is a cosine, nan without a global token."""
    if not n_tokens:
        return "Query-Key, as trained; no global token."
    return (
        f"Query-Key, as trained; outlined: {counted(n_tokens, 'global token')}. Cosine with the "
        f"class token’s row: {cosine(agreement)} (mean of heads; in the paper they agree)."
    )


def fused_note(blocks: Sequence[int], n_tokens: int) -> str:
    """Under the fused matrix."""
    tail = f"; outlined: their {counted(n_tokens, 'global token')}" if n_tokens else ""
    return f"Averaged with {_blocks(blocks)}{tail}."


# --- channels -------------------------------------------------------------------------------------


def norms_note(report: MethodReport, cs: bool, block: int) -> str:
    """What CS does to the block in view, or would do; ``report`` is that of CS switched on."""
    amf = "AMF changes no weights."
    if block in report.suppressed:
        before = float(report.norms_before[block].max())
        channel = report.channels[block]
        after = float(report.norms_after[block, channel])
        does = "CS scales" if cs else "CS is off. It would scale"
        changes = "changes" if cs else "change"
        return (
            f"{does} the norm of channel {channel} in block {block + 1} from {before:.3g} to "
            f"{after:.3g}, and {changes} {_blocks(report.suppressed)} "
            f"({SUPPRESSION_REASONS[report.cs_reason]}). {amf}"
        )
    if report.suppressed:
        return f"CS does not change block {block + 1}, only {_blocks(report.suppressed)}. {amf}"
    return f"{_sentence(SUPPRESSION_REASONS[report.cs_reason])}. {amf}"


def similarity_note(regions: str, off: tuple[float, float], on: tuple[float, float]) -> str:
    """Under the in-in / in-out bars; both without and with CS."""
    text = (
        f"Mean cosine of Values; regions are those of {regions}. In the paper CS makes Values of "
        "one region more alike and those of two regions less."
    )
    against = [
        f"those of {which} became {how}, {cosine(old)} to {cosine(new)}"
        for which, how, old, new, differs in (
            ("one region", "less alike", off[0], on[0], on[0] < off[0]),
            ("two regions", "more alike", off[1], on[1], on[1] > off[1]),
        )
        if differs
    ]
    return f"{text} On this picture it is otherwise: {' and '.join(against)}." if against else text


def suppression_notes(report: MethodReport, changed: float, amf: bool) -> list[str]:
    """Under the masks: what CS did to them; ``changed`` is a share of the pixels."""
    fusion = f"AMF is {'on' if amf else 'off'} in every mask here."
    why = SUPPRESSION_REASONS[report.cs_reason]
    if not report.suppressed:
        return [f"{_sentence(why)}. {fusion}"]
    part = "under 1 %" if 0 < changed < 0.01 else f"{changed * 100:.0f} %"
    text = f"CS changes {_blocks(report.suppressed)} ({why}) and relabels {part} of the pixels."
    last = report.n_blocks
    notes = [f"{text} {fusion}"]
    if report.suppressed == (last - 1,):
        notes.append(
            f"GCLIP does not use the last block’s FFN: channels of block {last} change no mask."
        )
    return notes


def largest_note(report: MethodReport, block: int, threshold: float) -> str:
    """Under the norms of a block: its largest, and which blocks have an abnormal one."""
    norms, ratio = report.norms_before[block], report.ratios[block]
    if not norms.any():
        return "All weights of this layer are 0."
    is_it = "abnormal" if block in report.abnormal else "not abnormal"
    listed, last = _blocks(report.abnormal) if report.abnormal else "none", report.n_blocks - 1
    if last in report.abnormal and last not in report.suppressed:
        listed += f" (CS skips {last + 1}, the last: its FFN is not used)"
    return (
        f"Channel {report.channels[block]} has the largest norm, {times(ratio)} the median: "
        f"{is_it}. A channel is abnormal from {threshold:g} × on, a bound of ours that was not "
        f"tried on large models. Blocks with one: {listed}."
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _quoted(words: Sequence[str]) -> str:
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return ", ".join(f"“{word[:40]}”" for word in words[:5]) + more


def _blocks(blocks: Sequence[int]) -> str:
    return named(block_numbers(sorted(blocks)))

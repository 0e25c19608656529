"""Every sentence a person reads on the page. Blocks are counted from 1 here.

Those that are always the same stand in ``sentences.toml``; ``wording.SEGMENT`` is the one of that
name there. Those that follow what was found are functions here.
"""

import errno
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from gclip_core.numbering import block_numbers, named
from gclip_core.registry import BUILT_IN, BackboneEntry
from gclip_core.types import Found, Method, Plant

_FIXED = tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))


def __getattr__(name: str) -> Any:
    try:
        return _FIXED[name]
    except KeyError:
        raise AttributeError(f"sentences.toml has no {name!r}") from None


def failed(error: Exception) -> str:
    """What a visitor reads of an error that nobody foresaw."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _FIXED["NO_ROOM"]
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return _FIXED["NO_MEMORY"]
    return _FIXED["UNEXPECTED"]


def automatic(name: str, title: str) -> str:
    """The first line of the backbone menu."""
    return title if name == BUILT_IN else f"{title} · here"


def backbone_choice(entry: BackboneEntry, here: bool) -> str:
    """One line of the backbone menu: what to know before choosing it."""
    if entry.name == BUILT_IN:
        return entry.title
    return f"{entry.title} · " + ("here" if here else f"{entry.download} MB to fetch")


def model_notice(name: str, entry: BackboneEntry, here: bool) -> str:
    """Beside the result: what the built-in model that answers is good at, and what is better."""
    how = "it is on this machine" if here else f"a download of {entry.download} MB, once"
    if name != BUILT_IN:
        return ""
    return (
        "The built-in model is a small student: good at sky, grass, trees, people "
        "and animals that fill a photo, poor at rooms and at what is small. "
        f"For better masks take {entry.title} as backbone ({how})."
    )


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


def miou(share: float | None) -> str:
    """Beside a mask's title: how well it does where truth is known."""
    return "" if share is None else f"mIoU {share * 100:.1f} %"


def best_badge(share: float | None) -> str:
    """The same beside the best of several."""
    return f"best: {miou(share)}"


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
    return _FIXED["CANVAS_HINT"] + f" {_FIXED['SWIPE_HINT']}" * swipes


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


def last_title(n_blocks: int, which: str, method: Method) -> str:
    """Under the last block's matrix: without or with what ``method`` switches on."""
    if not _has_switches(method):
        return f"block {n_blocks}, {'ClearCLIP' if which == 'without' else method.title}"
    on = {"AMF": method.fusion, "CS": method.suppression}
    names = " and ".join(name for name, one in on.items() if one is not None)
    return f"block {n_blocks}" + (f", {which} {names}" if names else "")


def nothing_changed(method: Method, found: Found) -> str:
    """Under the mask where the switches change no pixel."""
    if method.fusion is None and method.suppression is None:
        return "AMF and CS are off: this is ClearCLIP, and there is nothing to compare."
    if method.fusion is None and not found.suppressed:
        return "CS changes nothing here."
    return "Not one pixel changes."


def found_nothing(titles: Sequence[str], words: Sequence[str]) -> str:
    """Where masks find none of the words; ``titles`` are theirs."""
    if not titles:
        return ""
    said = "the word" if len(words) == 1 else "any of the words"
    return (
        f"{', '.join(titles)} cannot find {said} here: hidden words for the rest fit every pixel "
        "better. Type what the picture shows, or untick “Leave the rest unlabelled”."
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


def attention_note(found: Found, method: Method, shown: Sequence[int]) -> str:
    """What the attention card's switches can and cannot change."""
    if not _has_switches(method):
        return f"{method.title}’s last block has an attention of its own: AMF and CS are unused."
    if method.fusion:
        said = f"AMF averages the maps of {_blocks(shown)} into the last block ({found.reason})."
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


def norms_note(found: Found, cs: bool, block: int) -> str:
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
            f"{changes} {_blocks(found.suppressed)} ({found.cs_reason}). {amf}"
        )
    if found.suppressed:
        return f"CS leaves block {block + 1} alone; it changes {_blocks(found.suppressed)}. {amf}"
    return f"{_sentence(found.cs_reason)}. {amf}"


def similarity_note(regions: str, found: Found, model: str) -> str:
    """Under the in-in / in-out bars."""
    here = f"CS changes {_blocks(found.suppressed)}" if found.suppressed else "CS changes nothing"
    return (
        f"Mean cosine of Values, {model}; regions are those of {regions}. In the paper CS makes "
        f"Values of one object more alike and those of different objects less. Here {here}."
    )


def status(backbone: str, milliseconds: float, kept: bool, grid: tuple[int, int]) -> str:
    """The status line."""
    source = "the image was already encoded" if kept else "the image was encoded anew"
    return f"{backbone} · {grid[0]} × {grid[1]} patches · {milliseconds:.0f} ms, {source}"


def unknown(words: Sequence[str]) -> str:
    """Words that the backbone never met."""
    listed = ", ".join(f"“{w[:40]}”" for w in words[:8]) + ("…" if len(words) > 8 else "")
    return f"This model has never met: {listed}. A mask for such a word means little."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _percent(share: float) -> str:
    return "Under 1 %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def favoured(name: str) -> str:
    """Beside the variants: whom the built-in model's training favours."""
    if name != BUILT_IN:
        return ""
    return (
        "The built-in model was taught to localise: its last block’s Values learned the words of "
        "whole images, without masks. That favours MaskCLIP, which shows the Values as they are, "
        "and what comes close to it. Real CLIPs were not taught so."
    )


def taken(title: str) -> str:
    """Which of the variants the result is."""
    return f"What you take is the mask under **{title}**, as the page is set."


def suppression_title(cs: bool, planted: bool) -> str:
    """Above the mask without or with CS."""
    said = "CS on" if cs else "CS off"
    return f"Simulation, {said}" if planted else said


def suppression_said(found: Found, changed: float, amf: bool) -> str:
    """Under the masks: what CS did to them."""
    fusion = "AMF is on in all of them." if amf else "AMF is off in all of them."
    if not found.suppressed:
        return f"{_sentence(found.cs_reason)}. {fusion}"
    return (
        f"CS changes {_blocks(found.suppressed)} ({found.cs_reason}) and relabels "
        f"{_percent(changed).lower()} of the pixels. {fusion}"
    )


def last_block_note(n_blocks: int) -> str:
    """When suppression was asked for in the last block alone."""
    return (
        f"The FFN of the last block ({n_blocks}) is not used by GCLIP: suppressing channels there "
        "changes no mask."
    )


def largest_note(found: Found, block: int, threshold: float) -> str:
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


def strip_note(blocks: Sequence[int], reason: str) -> str:
    """Under the strip of blocks."""
    return (
        f"Brightness: attention that each patch receives (mean of all heads); outlined: global "
        f"tokens; ×: the most attended patch. AMF takes {_blocks(blocks)}: {reason}."
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


def opened(facts: dict[str, Any]) -> str:
    """Over the opening: why this picture, and what the switches do over others in mean."""

    def moved(name: str) -> str:
        mean = facts[f"mean_{name}"]
        return f"from {100 * mean['off']:.0f} to {100 * mean['on']:.0f} %"

    why = "Both switches show on this scene" if facts["both_matter"] else "The best scene found"
    sick = facts["simulation"]
    return (
        f"{why}{', under a simulated fault' * sick}: switch CS off and on again, then AMF. In the "
        f"mean of {facts['mean_of']} others CS takes mIoU {moved('cs')}"
        f"{' under that fault' * sick}; {'without it ' * sick}AMF, on so small a model, "
        f"{moved('amf')}."
    )

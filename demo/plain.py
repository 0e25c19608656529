"""The same core behind Gradio's own components, in one file: ``python app.py --plain``."""

import gradio as gr
from matplotlib.figure import Figure
from PIL import Image

from demo import backbones, drawing, plots
from demo.backbones import DAMAGED
from evaluation import photos
from gclip_core import GclipError, gclip
from gclip_core.segmenter import Segmenter

EXAMPLES = "teddy-part", "flower", "dog", "china"
ABOUT = """# GCLIP
Masks of any words from a frozen CLIP. **AMF** averages the attention of the last block with that of
the blocks below; **CS** scales down one outlier channel, which the damaged copy has."""


def segment(
    photo: Image.Image | None, words: str, amf: bool, cs: bool, is_damaged: bool
) -> tuple[tuple[Image.Image, list], list, Figure, str]:
    """The masks of the words, the attention received in the fused blocks, norms, and the words."""
    if photo is None:
        raise gr.Error("Choose a photo, or one of the examples.", print_exception=False)
    try:
        backbone = backbones.get(DAMAGED if is_damaged else backbones.HOST.backbone)
        segmenter, method = Segmenter(backbone), gclip(amf, cs)
        encoded = segmenter.encode(photo)
        words = words.strip() or ", ".join(segmenter.suggest(encoded))
        result = segmenter.segment(
            encoded, words, method, background=True, refine="guided", image=photo
        )
    except GclipError as error:
        raise gr.Error(str(error), print_exception=False) from error
    labels = result.labels.numpy()
    masks = [(labels == index, name) for index, name in enumerate(result.vocabulary.names)]
    report = segmenter.report(encoded, gclip(amf=True, cs=True))
    source, rgb = method.encoding(encoded), photo.convert("RGB")
    maps = [
        (drawing.over(rgb, source.received(b).view(encoded.grid).numpy()), f"Block {b + 1}")
        for b in report.fused.blocks
    ]
    before, after = report.norms_before.numpy(), report.norms_after.numpy()
    block = int(before.max(1).argmax())
    norms = plots.of_norms(before, after if cs else before, block, 2.0, (4, 3))
    return (photo, masks), maps, norms, words


def build() -> gr.Blocks:
    """The page: inputs on the left; mask, attention and norms on the right."""
    with gr.Blocks(title="GCLIP", analytics_enabled=False, delete_cache=(3600, 86_400)) as page:
        gr.Markdown(ABOUT)
        with gr.Row():
            with gr.Column(scale=1):
                photo = gr.Image(type="pil", label="Photo")
                words = gr.Textbox(label="Words", info="With commas between them; empty: suggested")
                with gr.Row():
                    switches = [gr.Checkbox(True, label="AMF"), gr.Checkbox(True, label="CS")]
                    damaged = gr.Checkbox(False, label="Damaged copy")
            with gr.Column(scale=2):
                mask = gr.AnnotatedImage(label="Mask")
                with gr.Row():
                    maps = gr.Gallery(label="Attention received in the blocks that AMF fuses")
                    norms = gr.Plot(label="Weight norms of the block with the largest")
        inputs = [photo, words, *switches, damaged]
        outputs = [mask, maps, norms, words]
        presses = [switch.input for switch in (*switches, damaged)]
        gr.on([words.submit, *presses], segment, inputs, outputs)
        gr.on(photo.input, lambda: "", None, words).then(segment, inputs, outputs)
        shipped = [photos.shipped_photos()[name] for name in EXAMPLES]
        gr.Examples(
            [[str(one.path), one.text] for one in shipped],
            [photo, words],
            outputs,
            lambda *values: segment(*values, True, True, False),
            run_on_click=True,
        )
    return page

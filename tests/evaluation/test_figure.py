"""The one figure: what it shows, in every form, for every kind of picture and words."""

import io
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image, ImageColor

from evaluation import figure
from evaluation.figure import Values, drawing, panels
from evaluation.figure.__main__ import main
from evaluation.figure.values import Mask
from gclip_core import METHODS, Segmenter, gclip, palette, plant_channel
from tests.fonts import machine_with, one_letter
from tests.models import picture, tiny_backbone

WORDS = "cat, dog, sofa, wall"


def values(size: tuple[int, int] = (96, 128), words: str = WORDS, planted: bool = False) -> Values:
    backbone = tiny_backbone()
    if planted:
        backbone = plant_channel(backbone, 7, 200, range(6, 11))
    segmenter = Segmenter(backbone, short_side=32, templates="plain", logit_scale=100)
    return figure.values_of(segmenter, picture(*size), words, gclip(amf_blocks=(5, 6)))


def texts(drawn: Figure) -> str:
    return "\n".join(text.get_text() for text in drawn.findobj(Text))


def test_everything_is_side_by_side() -> None:
    shown = values()
    drawn = figure.draw(replace(shown, foot="gclip.example"))
    # photo and masks, fused blocks with their scale, matrix, norms
    assert len(drawn.axes) == 3 + 2 + 1 + 1 + 1
    written = texts(drawn)
    for text in ("cat, dog, sofa, wall", "tiny", "GCLIP (AMF + CS)", "ClearCLIP", "guided filter"):
        assert text in written
    for text in ("Block 6", "Block 7", "block 12", "Channel norms", "gclip.example"):
        assert text in written
    for name, area in zip(shown.names, shown.areas, strict=True):
        assert f"{name}  {drawing._percent(area)}" in written


def test_panels_are_inside_the_figure_and_do_not_overlap() -> None:
    for size in ((96, 128), (128, 96), (30, 300), (300, 30)):
        boxes = [axes.get_position() for axes in figure.draw(values(size)).axes]
        for index, box in enumerate(boxes):
            assert box.x0 >= 0
            assert box.x1 <= 1
            assert box.y0 >= 0
            assert box.y1 <= 1
            for other in boxes[:index]:
                apart = box.x0 >= other.x1 or other.x0 >= box.x1
                assert apart or box.y0 >= other.y1 or other.y0 >= box.y1


def test_a_mask_is_in_the_words_colours_over_a_greyer_photo() -> None:
    shown = values()
    labels = np.full((96, 128), -1)
    labels[:, 64:] = 2
    photo = np.asarray(panels.painted(shown.photo, shown.names, None)).astype(int)
    mask = np.asarray(panels.painted(shown.photo, shown.names, Mask("", labels))).astype(int)
    rest, word = mask[:, : 60 * 7], mask[:, 70 * 8 :]
    saturation = np.ptp(photo, axis=-1)
    assert np.ptp(rest, axis=-1).mean() < 0.6 * saturation[:, : 60 * 7].mean()
    colour = np.array(ImageColor.getrgb(palette.of_names(shown.names)[2]))
    assert np.abs(word - colour).mean() < np.abs(photo[:, 70 * 8 :] - colour).mean() / 2


def test_the_small_form_has_title_words_method_and_address() -> None:
    drawn = figure.draw(replace(values(), foot="gclip.example/?words=cat"), small=True)
    assert len(drawn.axes) == 2
    for text in ("cat, dog, sofa, wall", "GCLIP (AMF + CS)", "gclip.example/?words=cat"):
        assert text in texts(drawn)


def test_a_planted_channel_is_a_simulation_and_its_repair_is_shown() -> None:
    shown = values(planted=True)
    assert (shown.norms.before != shown.norms.after).sum() == 1
    written = texts(figure.draw(shown))
    assert "simulation: channel 7 × 200 planted in blocks 7 to 11" in written
    assert "CS scales it to an ordinary norm" in written
    assert "CS changes nothing" in texts(figure.draw(values()))


def test_a_method_without_fusion_has_no_maps_of_blocks() -> None:
    segmenter = Segmenter(tiny_backbone(), short_side=32, templates="plain")
    shown = figure.values_of(segmenter, picture(64, 64), WORDS, METHODS["maskclip"])
    assert len(figure.draw(shown).axes) == 3 + 1 + 1


@pytest.mark.parametrize(
    "words", ["$cat$ & <b>", "猫", "قطة, cat", "a" * 200, ", ".join(map(chr, range(97, 123)))]
)
def test_any_words_are_drawn(words: str) -> None:
    with machine_with():
        drawn = figure.draw(values(words=words))
    assert figure.saved(drawn, "png", dpi=40).startswith(b"\x89PNG")
    assert "\u732b" not in texts(drawn)


def test_a_word_that_dejavu_lacks_is_drawn_in_a_font_of_the_machine(tmp_path: Path) -> None:
    with machine_with(one_letter(tmp_path / "letter.ttf", "猫")):
        shown = values(words="猫, cat")
        drawn = figure.draw(shown)
        assert shown.title == "猫, cat" and "猫  " in texts(drawn)
        assert "no font" not in texts(drawn)
        for kind in ("png", "pdf", "svg"):
            with warnings.catch_warnings(action="error"):  # of a missing glyph
                figure.saved(drawn, kind, 40)


def test_a_word_that_no_font_draws_is_a_number_and_the_figure_says_why() -> None:
    with machine_with():
        numbered, lettered = values(words="cat, 猫, 🐸, قطة"), values()
        for small in (False, True):
            drawn = texts(figure.draw(numbered, small))
            assert "cat, #2, #3, قطة" in drawn
            assert "#2, #3: no font of this machine draws these words." in drawn
            assert "no font" not in texts(figure.draw(lettered, small))


def test_without_anything_to_compare_there_is_one_mask() -> None:
    alone = replace(values(), before=None)
    assert len(figure.draw(alone).axes) == len(figure.draw(values()).axes) - 1
    assert "ClearCLIP" not in texts(figure.draw(alone))


def test_a_long_title_ends_where_the_figure_does() -> None:
    drawn = figure.draw(values(words=", ".join(f"wide word {i}" for i in range(20))))
    first, second = titles(drawn)
    assert first.get_text().endswith(",") and second.get_text().endswith("…")
    for title in (first, second):
        right = title.get_window_extent().x1 / drawn.dpi
        assert drawing.FULL.width - 1 < right < drawing.FULL.width


def titles(drawn: Figure) -> list[Text]:
    largest = max(text.get_fontsize() for text in drawn.texts)
    return [text for text in drawn.texts if text.get_fontsize() == largest]


def test_six_words_are_the_share_picture_s_title_in_two_lines_over_all_else() -> None:
    words = "person, flag, space shuttle, helmet, wall, spacesuit"
    drawn = figure.draw(values(words=words), small=True)
    assert " ".join(text.get_text() for text in titles(drawn)) == words
    boxes = [text.get_window_extent() for text in drawn.texts]
    for index, box in enumerate(boxes):
        assert box.x1 / drawn.dpi < drawing.SMALL.width
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_figures_drawn_by_many_threads_are_those_of_one() -> None:
    shown = [values(), values(planted=True)] * 4

    def made(shown: Values) -> bytes:
        return figure.saved(figure.draw(shown), "svg", 40)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(made, shown))
    alone = [made(shown_once) for shown_once in shown[:2]]
    assert [strip_ids(svg) for svg in together] == [strip_ids(svg) for svg in alone] * 4


def strip_ids(svg: bytes) -> str:
    """A file without the ids that are drawn by lot."""
    return re.sub(r'(id="|url\(#|href="#)[a-z]+[0-9a-f]{8,}', "", svg.decode())


def test_text_stays_text_in_vector_files_and_equal_figures_are_equal_files() -> None:
    drawn = figure.draw(values())
    svg = figure.saved(drawn, "svg").decode()
    assert "Attention of block 12" in svg
    pdf = figure.saved(drawn, "pdf")
    assert pdf.startswith(b"%PDF")
    assert b"/Type3" not in pdf
    assert pdf == figure.saved(figure.draw(values()), "pdf")


def test_the_command_writes_a_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(64, 80).save(tmp_path / "photo.png")
    command = [str(tmp_path / "photo.png"), "--words", "cat, wall", "--out"]
    assert main([*command, str(tmp_path / "f.png"), "--small"]) == 0
    image = Image.open(io.BytesIO((tmp_path / "f.png").read_bytes()))
    assert image.width == 1620
    assert main([*command, str(tmp_path / "f.doc")]) == 2
    assert "ends in .pdf, .svg or .png was expected, but f.doc came" in capsys.readouterr().err

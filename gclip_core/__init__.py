"""Open-vocabulary segmentation with a CLIP image tower: type any words, get a mask of each.

It implements GCLIP of Wang, Yan and Kang (arXiv 2502.06818), that is, attention map fusion (AMF)
and channel suppression (CS), and also CLIP, MaskCLIP, SCLIP, ClearCLIP and other methods. With
CLIP's weights, frozen and loaded by open_clip, no method needs any training. The built-in backbone
is not a plain CLIP: its blocks take features of two pretrained networks as input, and it was
trained on photos with words and masks (assets/built-in/README.md). All methods run on it, too.
"""

from gclip_core.backbones.backbone import Backbone, damage
from gclip_core.backbones.load import load_backbone
from gclip_core.backbones.registry import BACKBONES
from gclip_core.encoder import Encoded
from gclip_core.errors import BackboneError, GclipError, ImageError, MethodError, VocabularyError
from gclip_core.last_block import Attended
from gclip_core.marks import Mark
from gclip_core.methods import METHODS, Method, gclip
from gclip_core.result import MethodReport, Segmentation
from gclip_core.segmenter import Segmenter
from gclip_core.words.vocabulary import Shown, Vocabulary

__version__ = "0.2.0"

__all__ = [
    "BACKBONES",
    "METHODS",
    "Attended",
    "Backbone",
    "BackboneError",
    "Encoded",
    "GclipError",
    "ImageError",
    "Mark",
    "Method",
    "MethodError",
    "MethodReport",
    "Segmentation",
    "Segmenter",
    "Shown",
    "Vocabulary",
    "VocabularyError",
    "__version__",
    "damage",
    "gclip",
    "load_backbone",
]

"""Training-free open-vocabulary segmentation with a frozen CLIP image tower.

It implements GCLIP of Wang, Yan and Kang (arXiv 2502.06818), which combines attention map fusion
(AMF) and channel suppression (CS), and the methods CLIP, MaskCLIP, SCLIP, ClearCLIP and others.
"""

from gclip_core.backbone import Backbone, damage, load_backbone, plant_channel
from gclip_core.errors import BackboneError, GclipError, ImageError, MethodError, VocabularyError
from gclip_core.methods import METHODS, gclip
from gclip_core.registry import BACKBONES
from gclip_core.segmenter import Segmenter
from gclip_core.types import DenseFeatures, Encoded, Method, MethodReport, Segmentation, Vocabulary
from gclip_core.version import __version__

__all__ = [
    "BACKBONES",
    "METHODS",
    "Backbone",
    "BackboneError",
    "DenseFeatures",
    "Encoded",
    "MethodReport",
    "GclipError",
    "ImageError",
    "Method",
    "MethodError",
    "Segmentation",
    "Segmenter",
    "Vocabulary",
    "VocabularyError",
    "__version__",
    "damage",
    "gclip",
    "load_backbone",
    "plant_channel",
]

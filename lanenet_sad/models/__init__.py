"""Lane networks and what goes into and comes out of them."""

from lanenet_sad.models.builders import build_network, enet, erfnet, resnet
from lanenet_sad.models.decoder import CoarseDecoder, Decoder
from lanenet_sad.models.encoder import Encoder, Encoding
from lanenet_sad.models.heads import ExistenceHead
from lanenet_sad.models.interface import EncoderSpec, LaneNetOutput, LaneSample, LaneTargets, NetworkSpec
from lanenet_sad.models.lanenet import LaneNet, check_input_size
from lanenet_sad.models.normalization import (
    IMAGE_MEAN,
    IMAGE_STD,
    Normalization,
    normalize_image,
    normalize_images,
)

__all__ = [
    "IMAGE_MEAN",
    "IMAGE_STD",
    "CoarseDecoder",
    "Decoder",
    "Encoder",
    "EncoderSpec",
    "Encoding",
    "ExistenceHead",
    "LaneNet",
    "LaneNetOutput",
    "LaneSample",
    "LaneTargets",
    "NetworkSpec",
    "Normalization",
    "build_network",
    "check_input_size",
    "enet",
    "erfnet",
    "normalize_image",
    "normalize_images",
    "resnet",
]

"""Images as they come: a PNG or JPEG file in base64.

What a request may hold is checked by the same function that training reads with: type, bytes and pixels. The size that
a file's head declares is looked at before anything is decoded, so that a small file cannot ask for gigabytes.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

TYPES = ("PNG", "JPEG")
PIXELS = 16_000_000
"""Pixels that a file may declare: the photo of a telephone, 64 MB once decoded."""
LARGEST = 2**24
"""Bytes of a file that anything declares."""


class PictureError(ValueError):
    """A text is no image that is read here; the message says why."""


def picture_of(text: str, most: int) -> Image.Image:
    """Decode an image.

    Args:
        text: A file in base64.
        most: Bytes that it may have.

    Raises:
        PictureError: It is none, of another type, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    if len(text) > characters(most):
        raise PictureError(f"it has {len(text):,} characters; at most {characters(most):,}, {most:,} bytes")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise PictureError("it is no base64, with no line ends and no address before it") from None
    broken = (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError)
    try:
        image = Image.open(io.BytesIO(content), formats=TYPES)
    except broken:
        raise PictureError(f"it is no {' or '.join(TYPES)} file") from None
    if image.width * image.height > PIXELS:
        raise PictureError(f"it is {image.width} x {image.height} pixels large; at most {PIXELS:,} of them")
    try:
        image.load()
    except broken:
        raise PictureError("it is not whole, or damaged") from None
    return image


def characters(most: int) -> int:
    """Return the characters of a file of some bytes in base64."""
    return 4 * math.ceil(most / 3)

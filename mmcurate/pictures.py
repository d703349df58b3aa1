"""Pictures: what is valid, and which pixels the teacher, the student and a hash see.

A picture is kept as the bytes it came as. `pixels` is the one place that says what those bytes look like.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import warnings
from typing import Any

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded (a 20,000 x 20,000 PNG is 1.2 GB of RGB)."""

_PLAIN_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_MAGIC = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


class BadPicture(ValueError):
    """These bytes aren't a whole picture."""


def opened(data: bytes) -> Any:
    """Returns a `PIL.Image` of the bytes, not decoded yet.

    Raises:
        BadPicture: they are no picture, or one of more than `MAX_PIXELS`.
    """
    import PIL.Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PIL's own bomb warning: the size is checked below
        try:
            image = PIL.Image.open(io.BytesIO(data))
        except PIL.Image.DecompressionBombError as error:
            raise BadPicture(f"over the limit of {MAX_PIXELS:,} pixels: {error}") from None
        except Exception as error:
            kind = "empty file" if not data else f"not a picture that Pillow can read ({type(error).__name__})"
            raise BadPicture(kind) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadPicture(f"{width:,} x {height:,} pixels is over the limit of {MAX_PIXELS:,} pixels")
    return image


def extension(data: bytes) -> str:
    """Returns the file extension that belongs to a picture's first bytes; empty for a rare format."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return next((name for start, name in _MAGIC.items() if data.startswith(start)), "")


def inspect(data: bytes) -> tuple[int, int]:
    """Checks that bytes hold a whole picture, and returns its width and height.

    A PNG is checked by its chunks' checksums and a JPEG by its end marker, without decoding; what looks
    odd there, and every other format, is decoded.

    Raises:
        BadPicture: the bytes are no picture, are cut off, or are larger than `MAX_PIXELS`.
    """
    image = opened(data)
    size: tuple[int, int] = image.size
    kind = image.format or ""
    try:
        if kind == "PNG":
            whole = b"IEND" in data[-64:]
            image.verify()
        else:
            whole = kind == "JPEG" and b"\xff\xd9" in data[-1024:]
        if not whole:
            loaded(opened(data))
    except BadPicture:
        raise
    except Exception as error:
        raise BadPicture(f"cut off or damaged {kind or 'picture'} ({error})") from None
    return size


def read(picture: dict[str, Any]) -> bytes:
    """Returns the bytes of a picture struct."""
    if picture["bytes"] is not None:
        return bytes(picture["bytes"])
    with open(picture["path"], "rb") as file:
        return file.read()


def is_plain(image: Any) -> bool:
    """Whether every reader sees the same RGB pixels in an opened picture as `pixels` gives."""
    import PIL.ExifTags

    if image.mode not in ("RGB", "L", "P", "1") or "transparency" in image.info:
        return False
    return image.getexif().get(PIL.ExifTags.Base.Orientation, 1) in (0, 1)


def pixels(data: bytes) -> Any:
    """Returns the picture as an upright RGB `PIL.Image`, as `upright` does."""
    return upright(loaded(opened(data)))


def loaded(image: Any) -> Any:
    """Decodes an opened `PIL.Image`, without warnings.

    Raises:
        BadPicture: it can't be decoded to its end.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image.load()
        except Exception as error:
            raise BadPicture(f"cut off or damaged {image.format or 'picture'} ({error})") from None
    return image


def upright(image: Any) -> Any:
    """Returns a decoded `PIL.Image` as an upright RGB one.

    EXIF rotation is applied, 16-bit and float greys are scaled to 8 bits, transparency is laid on white.
    """
    import numpy as np
    import PIL.Image
    import PIL.ImageOps

    image = PIL.ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = PIL.Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8))
    elif image.mode in ("I", "F"):
        array = np.asarray(image).astype(np.float64)
        high = 65535.0 if array.max(initial=0) > 255 else 255.0
        image = PIL.Image.fromarray(np.clip(array * 255.0 / high, 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = PIL.Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = PIL.Image.alpha_composite(white, image)
    return image.convert("RGB")


def for_model(data: bytes) -> tuple[bytes, str]:
    """Returns the bytes to show to a model, and their media type.

    The bytes themselves where any reader sees the same pixels in them, else `pixels` as a PNG.
    """
    image = opened(data)
    if image.format in _PLAIN_FORMATS and is_plain(image):
        return data, _PLAIN_FORMATS[image.format]
    out = io.BytesIO()
    pixels(data).save(out, "PNG", compress_level=1)
    return out.getvalue(), "image/png"


def data_url(data: bytes) -> str:
    """Returns the picture as the `data:` URL that an OpenAI-compatible server takes."""
    data, media_type = for_model(data)
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def thumbnail(data: bytes, side: int = 280) -> bytes:
    """Returns a small JPEG of the picture, for reports."""
    image = pixels(data)
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def digest(data: bytes) -> str:
    """Returns the SHA-256 of a picture's bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def as_struct(picture: Any) -> dict[str, Any]:
    """Returns a picture struct (`schema.PICTURE`) of a path, bytes, a `PIL.Image`, a `{bytes, path}` dict, or anything
    with `read_bytes()`, such as a member of an archive.

    Raises:
        OSError: the file isn't there.
        BadPicture: it isn't a whole picture.
    """
    path = None
    if isinstance(picture, dict):
        path, data = picture.get("path"), picture.get("bytes")
        if data is None and path is not None:
            with open(path, "rb") as file:
                data = file.read()
    elif isinstance(picture, (bytes, bytearray, memoryview)):
        data = bytes(picture)
    elif isinstance(picture, (str, os.PathLike)):
        with open(picture, "rb") as file:
            data = file.read()
    elif hasattr(picture, "read_bytes"):
        data = picture.read_bytes()
    elif hasattr(picture, "save") and hasattr(picture, "mode"):
        out = io.BytesIO()
        kind = (
            picture.format if picture.format in _PLAIN_FORMATS else "TIFF" if picture.mode in ("F", "CMYK") else "PNG"
        )
        picture.save(out, kind)
        data = out.getvalue()
    else:
        raise BadPicture(f"a picture is a path, bytes or a PIL image, not {type(picture).__name__}")
    if data is None:
        raise BadPicture("neither bytes nor a path")
    width, height = inspect(bytes(data))
    return {"sha256": digest(data), "path": None, "bytes": bytes(data), "width": width, "height": height}

"""Pictures: odd modes just work, broken ones say how, and there is one answer to what they look like."""

import io
import zlib

import numpy as np
import PIL.Image
import pytest

from mmcurate import pictures
from tests.conftest import picture


def struct_png(width, height):
    """A PNG header that claims a size, without the pixels."""

    def chunk(name, body):
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (picture()[:-20], "cut off"),
        (picture(kind="JPEG")[:-12], "cut off"),
        (struct_png(20_000, 20_000), "20,000 x 20,000|over the limit"),
        (struct_png(11_000, 11_000), "11,000 x 11,000"),
    ],
)
def test_broken(data, said):
    with pytest.raises(pictures.BadPicture, match=said):
        pictures.inspect(data)


def test_damage_in_the_middle_is_seen():
    data = bytearray(picture(size=(300, 300), mode="RGB"))
    data[data.index(b"IDAT") + 12] ^= 0xFF
    with pytest.raises(pictures.BadPicture):
        pictures.inspect(bytes(data))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F"])
def test_modes(mode):
    kind = "TIFF" if mode in ("CMYK", "F", "I") else "PNG"
    data = picture(0 if mode not in ("RGB",) else "black", mode=mode, kind=kind)
    assert pictures.inspect(data) == (40, 30)
    shown, media_type = pictures.for_model(data)
    image = PIL.Image.open(io.BytesIO(shown))
    assert media_type == "image/png"
    assert image.size == (40, 30)
    assert pictures.pixels(data).mode == "RGB"


def test_sixteen_bits_are_scaled_not_cut():
    out = io.BytesIO()
    PIL.Image.fromarray(np.full((4, 4), 32_896, np.uint16)).save(out, "PNG")
    assert pictures.pixels(out.getvalue()).getpixel((0, 0)) == (128, 128, 128)


def test_transparency_lies_on_white():
    assert pictures.pixels(picture((255, 0, 0, 0), mode="RGBA")).getpixel((0, 0)) == (255, 255, 255)


def test_rotation_is_applied():
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = picture(size=(40, 20), kind="JPEG", exif=exif)
    assert pictures.pixels(data).size == (20, 40)
    assert PIL.Image.open(io.BytesIO(pictures.for_model(data)[0])).size == (20, 40)


def test_plain_pictures_are_sent_as_they_are():
    for data in (picture(), picture(kind="JPEG"), picture(kind="WEBP"), picture("black", mode="P")):
        assert pictures.for_model(data)[0] is data


def test_real_odd_pictures(data):
    for line in (data / "dedup" / "groups.jsonl").read_text("utf-8").splitlines()[:50]:
        import json

        file = data / "dedup" / json.loads(line)["file"]
        try:
            size = pictures.inspect(file.read_bytes())
        except pictures.BadPicture:
            continue
        assert pictures.pixels(file.read_bytes()).size in (size, size[::-1])

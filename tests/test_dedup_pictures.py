"""Pictures as duplicates: thumbnails of every kind of file, what is the same picture, what isn't, and who is compared with whom."""

import io
import random
from collections import Counter

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageEnhance
import PIL.ImageFont
import PIL.ImageOps
import pytest

from mmcurate import pictures
from mmcurate.dedup import align, confirm, image, neighbours
from mmcurate.dedup.neighbours import MAX_GAP, NUM_NEIGHBOURS, RADIUS, Lookalikes, orientations, views
from mmcurate.sources import Procedural

LANCZOS = PIL.Image.Resampling.LANCZOS


def encoded(picture, kind="PNG", **more):
    out = io.BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def chart(seed, values=None, colour=None):
    """A bar chart with its values in digits, and the values."""
    dice = random.Random(seed)
    drawn = [dice.randint(20, 98) for _ in range(dice.randint(4, 6))]
    values = values or drawn
    colours = [dice.choice(["#d62d20", "#2654c9", "#1e8e3e", "#f08600", "#823caa"]) for _ in values]
    picture = PIL.Image.new("RGB", (480, 360), "white")
    draw, font = PIL.ImageDraw.Draw(picture), PIL.ImageFont.load_default(22)
    step = 420 / len(values)
    for i, value in enumerate(values):
        left, top, right = 40 + i * step, 320 - value * 2.6, 40 + (i + 0.6) * step
        draw.rectangle([left, top, right, 320], fill=(colour if i == 1 else None) or colours[i])
        draw.text((left + step * 0.3, top - 15), str(value), fill="black", font=font, anchor="mm")
        draw.text((left + step * 0.3, 338), "ABCDEFG"[i], fill="black", font=font, anchor="mm")
    draw.line([30, 20, 30, 320, 470, 320], fill="black", width=2)
    return picture, values


def dot(picture, x):
    out = picture.copy()
    PIL.ImageDraw.Draw(out).ellipse([x, 100, x + 8, 108], fill="black")
    return out


def one_digit(seed):
    """The same chart with one digit over a bar written anew."""
    picture, values = chart(seed)
    i, step = seed % len(values), 420 / len(values)
    left, top = 40 + i * step, 320 - values[i] * 2.6
    draw = PIL.ImageDraw.Draw(picture)
    draw.rectangle([left - 4, top - 28, left + step * 0.6 + 4, top - 1], fill="white")
    other = f"{values[i] // 10}{(values[i] + (2, 3, 5, 7)[seed % 4]) % 10}"
    font = PIL.ImageFont.load_default(22)
    draw.text((left + step * 0.3, top - 15), other, fill="black", font=font, anchor="mm")
    return picture


@pytest.fixture(scope="module")
def drawn():
    """One picture of each family that the library draws, and four larger charts."""
    rows = Procedural(8, seed=5)
    return [pictures.pixels(row["images"][0]) for row in rows] + [chart(seed)[0] for seed in range(4)]


def looks(picture):
    return confirm.look(encoded(picture) if isinstance(picture, PIL.Image.Image) else picture)


def same(a, b):
    return confirm.same_picture(looks(a), looks(b))


def proposed(a, b):
    """Whether `Lookalikes` would compare two pictures."""
    thumbs = np.stack([image.thumbnails(x if isinstance(x, bytes) else encoded(x)) for x in (a, b)])
    made = views(thumbs[:, None])
    near = np.linalg.norm(made[:, 0] - made[:, 1], axis=1).min() <= RADIUS
    return bool(near and align.thumbnail_gaps(thumbs[:1], thumbs[1:])[0] <= MAX_GAP)


def sized(picture, across, down=None):
    width, height = picture.size
    return picture.resize((round(width * across), round(height * (down or across))), LANCZOS)


def cropped(picture, left, top, right, bottom):
    w, h = picture.size
    return picture.crop((round(w * left), round(h * top), w - round(w * right), h - round(h * bottom)))


def framed(picture, share):
    w, h = picture.size
    return PIL.ImageOps.expand(picture, (round(w * share), round(h * share)), fill="white")


VARIANTS = {
    "JPEG at 30": lambda p: encoded(p, "JPEG", quality=30),
    "JPEG at 50": lambda p: encoded(p, "JPEG", quality=50),
    "JPEG at 75": lambda p: encoded(p, "JPEG", quality=75),
    "JPEG at 95": lambda p: encoded(p, "JPEG", quality=95),
    "WEBP": lambda p: encoded(p, "WEBP", quality=75),
    "256 colours": lambda p: encoded(p.quantize(256)),
    "half as large": lambda p: sized(p, 0.5),
    "three quarters": lambda p: sized(p, 0.75),
    "half as large again": lambda p: sized(p, 1.5),
    "twice as large": lambda p: sized(p, 2),
    "another aspect": lambda p: sized(p, 1.2, 0.9),
    "cropped by 1 %": lambda p: cropped(p, 0.01, 0.01, 0.01, 0.01),
    "cropped by 2 %": lambda p: cropped(p, 0.02, 0.02, 0.02, 0.02),
    "cropped on the left": lambda p: cropped(p, 0.02, 0, 0, 0),
    "a margin": lambda p: framed(p, 0.02),
    "darker": lambda p: PIL.ImageEnhance.Brightness(p).enhance(0.9),
    "brighter": lambda p: PIL.ImageEnhance.Brightness(p).enhance(1.1),
    "less contrast": lambda p: PIL.ImageEnhance.Contrast(p).enhance(0.85),
    "more contrast": lambda p: PIL.ImageEnhance.Contrast(p).enhance(1.15),
    "paler": lambda p: PIL.ImageEnhance.Color(p).enhance(0.7),
    "more colourful": lambda p: PIL.ImageEnhance.Color(p).enhance(1.3),
}
HARSH = {"JPEG at 30": 2, "another aspect": 1, "half as large": 1}
"""How many of twelve may be missed; of the others none may."""


@pytest.mark.parametrize("kind", VARIANTS)
def test_variants_are_the_same(drawn, kind):
    found, both = 0, 0
    for picture in drawn:
        variant = VARIANTS[kind](picture)
        a, b = looks(picture), looks(variant)
        first, second = confirm.same_picture(a, b), confirm.same_picture(b, a)
        found, both = found + (first and proposed(picture, variant)), both + (first == second)
    assert found >= len(drawn) - HARSH.get(kind, 0)
    assert both >= len(drawn) - 1, "either way round"


@pytest.mark.parametrize("seed", range(6))
def test_small_changes_are_other_pictures(seed):
    picture, values = chart(seed)
    higher = [round(v * 1.05) if i == seed % len(values) else v for i, v in enumerate(values)]
    others = {
        "digit": one_digit(seed),
        "bar": chart(seed, higher)[0],
        "colour": chart(seed, colour="#008c96")[0],
        "point more": dot(picture, 200),
        "mirrored": PIL.ImageOps.mirror(picture),
        "upside down": PIL.ImageOps.flip(picture),
        "other chart": chart(seed + 100)[0],
    }
    said = {name: (same(picture, other), same(other, picture)) for name, other in others.items()}
    assert said == dict.fromkeys(others, (False, False))
    assert not same(dot(picture, 200), dot(picture, 208)), "a point moved"
    assert not same(picture, encoded(one_digit(seed), "JPEG", quality=50)), "changed and encoded again"
    assert not same(picture, sized(one_digit(seed), 1.5)), "changed and enlarged"


def test_turned_pictures_are_found_by_a_setting():
    picture = chart(1)[0]
    for way in PIL.Image.Transpose:
        turned = looks(picture.transpose(way))
        assert not confirm.same_picture(looks(picture), turned)
        assert any(confirm.same_picture(looks(picture), t) for t in confirm.turned(turned))


def noise(seed, size=(200, 150)):
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return PIL.Image.fromarray(values)


def test_a_picture_is_always_itself(drawn):
    odd = [noise(0), noise(1, (3, 3)), noise(2, (1, 1)), noise(3, (900, 7)), PIL.Image.new("RGB", (50, 40), "red")]
    for picture in [*drawn, *odd]:
        assert same(picture, picture)
        assert proposed(picture, picture)


def test_noise_is_never_the_same():
    seen = [looks(noise(seed)) for seed in range(8)]
    for i, a in enumerate(seen):
        assert [confirm.same_picture(a, b) for b in seen] == [i == j for j in range(8)]


def test_blank_and_tiny_pictures():
    def blank(colour, *size):
        return PIL.Image.new("RGB", size, colour)

    assert same(blank("white", 40, 30), blank("white", 640, 480))
    assert proposed(blank("white", 40, 30), blank("white", 640, 480))
    assert not same(blank("white", 40, 30), blank("black", 40, 30))
    assert not same(blank("white", 40, 30), blank("red", 40, 30))
    assert not same(blank("white", 40, 30), chart(0)[0])
    assert not same(noise(0, (3, 3)), chart(0)[0])
    assert not same(noise(0, (3, 3)), noise(1, (3, 3)))


# Thumbnails


def test_a_jpeg_decoded_small_looks_like_the_whole(drawn):
    for picture in [*drawn, noise(0, (640, 480))]:
        large = picture.resize((640, 480), LANCZOS)
        data = encoded(large, "JPEG", quality=90)
        whole = pictures.pixels(data).convert("L").reduce(4)
        box = image.content_box(PIL.Image.fromarray(np.asarray(whole)))
        slow = np.stack(
            [np.asarray(whole.resize((32, 32), PIL.Image.Resampling.BOX, box=b)) for b in ((0, 0, *whole.size), box)]
        )
        assert np.abs(image.thumbnails(data)[0].astype(int) - slow[0]).mean() < 2
        assert np.abs(image.thumbnails(data)[1].astype(int) - slow[1]).mean() < 6  # its box is a pixel off at times


def kinds():
    picture = chart(2)[0]
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be shown rotated by 90 degrees
    grey16 = PIL.Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    clear = picture.convert("RGBA")
    clear.putalpha(picture.convert("L").point(lambda v: 0 if v > 250 else 255))  # white is transparent
    frames = [picture.quantize(64), chart(3)[0].quantize(64)]
    return {
        "RGB": encoded(picture),
        "palette": encoded(picture.quantize(128)),
        "grey": encoded(picture.convert("L")),
        "one bit": encoded(picture.convert("L").convert("1")),
        "16 bit": encoded(grey16),
        "RGBA": encoded(clear),
        "CMYK": encoded(picture.convert("CMYK"), "JPEG", quality=95),
        "grey JPEG": encoded(picture.convert("L"), "JPEG", quality=95),
        "progressive": encoded(picture, "JPEG", quality=95, progressive=True),
        "EXIF": encoded(picture.transpose(PIL.Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif),
        "GIF": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "BMP": encoded(picture, "BMP"),
        "TIFF": encoded(picture, "TIFF"),
        "WEBP": encoded(picture, "WEBP", lossless=True),
    }


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_file_shows_the_same(kind):
    made, plain = kinds()[kind], chart(2)[0]
    assert proposed(made, plain)
    gaps = np.abs(image.thumbnails(made).astype(int) - image.thumbnails(encoded(plain)))
    assert gaps.mean() < 5
    grey = kind in ("grey", "16 bit", "grey JPEG", "one bit")
    assert same(made, plain) == (not grey), "colour counts"


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (31, 33), (64, 63), (4000, 3000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_every_size_has_thumbnails(size, kind):
    data = encoded(PIL.Image.new("RGB", size, "teal"), kind)
    made = image.thumbnails(data)
    assert made.shape == (2, 32, 32)
    assert made.dtype == np.uint8
    assert np.ptp(made) <= 1
    assert same(data, data)


def test_bad_pictures_say_so():
    whole = encoded(chart(0)[0], "JPEG")
    for data in (b"", b"nothing", whole[:500], encoded(chart(0)[0])[:900]):
        with pytest.raises(pictures.BadPicture):
            image.thumbnails(data)
        with pytest.raises(pictures.BadPicture):
            confirm.look(data)


def test_content_box():
    grey = np.full((60, 80), 250, np.uint8)
    assert image.content_box(PIL.Image.fromarray(grey)) == (0, 0, 80, 60), "nothing differs"
    grey[10:20, 30:50] = 0
    assert image.content_box(PIL.Image.fromarray(grey)) == (30, 10, 50, 20)
    grey[0, 0] = 200  # a corner
    assert image.content_box(PIL.Image.fromarray(grey)) == (0, 0, 50, 20)
    assert image.content_box(PIL.Image.fromarray(grey[10:20, 30:50])) == (0, 0, 20, 10)
    assert image.content_box(PIL.Image.fromarray(np.zeros((1, 1), np.uint8))) == (0, 0, 1, 1)


def test_descriptors_see_neither_brightness_nor_contrast(drawn):
    thumbs = np.stack([image.thumbnails(encoded(p))[0] for p in drawn])
    made = image.descriptors(thumbs)
    assert made.shape == (len(drawn), 63)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    darker = image.descriptors((thumbs * 0.6 + 30).round().astype(np.uint8))
    assert np.linalg.norm(made - darker, axis=1).max() < 0.02
    apart = np.linalg.norm(made[:, None] - made[None], axis=2)[np.triu_indices(len(drawn), 1)]
    assert apart.min() > 0.1
    assert np.abs(image.descriptors(np.full((1, 32, 32), 9, np.uint8))).max() < 1e-6


# The ways with and without numba


def test_without_numba_it_is_the_same(monkeypatch):
    a, b = looks(chart(0)[0]), looks(encoded(chart(0)[0], "JPEG", quality=30))
    p = np.array([1.01, 0.99, 0.003, -0.004])
    x, y = (np.asarray(v.image.convert("YCbCr"), np.float32) for v in (a, b))
    thumbs = np.stack([image.thumbnails(encoded(chart(seed)[0])) for seed in range(6)])
    small = np.random.default_rng(0).uniform(0, 255, (2, 5, 4, 3)).astype(np.float32)
    sides = (0, 3), (1, 4), (2, 2)

    def all_ways():
        sums = [align.align_sums(a.level(i), b.level(i), p) for i in range(3)]
        gaps = align.thumbnail_gaps(*(thumbs[list(s)] for s in zip(*sides, strict=True)))
        return (
            sums,
            [align.local_differences(x, y), align.local_differences(*small), align.local_differences(x, y, 40)],
            gaps,
        )

    fast = all_ways()
    monkeypatch.setattr(align, "HAS_NUMBA", False)
    slow = all_ways()
    for one, other in zip(fast[0], slow[0], strict=True):
        for v, w in zip(one, other, strict=True):
            np.testing.assert_allclose(v, w, rtol=2e-4, atol=2e-3 * float(np.max(np.abs(w))))
    np.testing.assert_allclose(fast[1], slow[1], rtol=1e-4)
    np.testing.assert_allclose(fast[2], slow[2], rtol=1e-5)
    assert confirm.same_picture(a, b)
    assert not confirm.same_picture(a, looks(one_digit(0)))


# Who is compared with whom


def blurry(number, seed=0):
    """Thumbnails of as many different soft pictures, (number, 1, 2, 32, 32)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (number, 6, 6)).astype(np.float32)
    at = np.linspace(0, 4.999, 32)
    low, share = at.astype(int), (at % 1)[None, :]
    rows = coarse[:, low] * (1 - share[..., None]) + coarse[:, low + 1] * share[..., None]
    made = rows[:, :, low] * (1 - share[:, None]) + rows[:, :, low + 1] * share[:, None]
    return np.repeat(made.astype(np.uint8)[:, None, None], 2, axis=2)


def varied(thumbs, seed=1):
    rng = np.random.default_rng(seed)
    return np.clip(thumbs * 0.95 + 5 + rng.normal(0, 4, thumbs.shape), 0, 255).astype(np.uint8)


def test_lookalikes_are_those_of_brute_force():
    base = blurry(160)
    base[80:] = varied(base[:80])
    made = Lookalikes(lambda rows: base[rows], len(base))
    found = set(map(tuple, made.find(base).tolist()))
    vectors = views(base)
    expected = set()
    for i in range(len(base)):
        near = (np.linalg.norm(vectors[:, i, None] - vectors, axis=2) <= RADIUS).any(0)
        gaps = align.thumbnail_gaps(np.repeat(base[i], len(base), axis=0), base[:, 0])
        expected |= {(i, int(j)) for j in np.flatnonzero(near & (gaps <= MAX_GAP))}
    assert found == expected
    assert {(i, i) for i in range(160)} | {(i, i + 80) for i in range(80)} <= found


def test_lookalikes_of_rows_of_several_pictures():
    base = np.concatenate([blurry(50), blurry(50, seed=2)], axis=1)
    query = varied(base)
    query[25:, 1] = blurry(25, seed=3)[:, 0]  # the second picture is another one
    found = Lookalikes(lambda rows: base[rows], len(base)).find(query)
    assert sorted(map(tuple, found.tolist())) == [(i, i) for i in range(25)]


def test_the_tree_finds_nearly_what_the_whole_comparison_finds(monkeypatch):
    base, number = blurry(6000), 500
    query = varied(base[:number])
    tree = Lookalikes(lambda rows: base[rows], len(base))
    assert tree.trees
    monkeypatch.setattr(neighbours, "WHOLE", 10_000)
    whole = Lookalikes(lambda rows: base[rows], len(base))
    assert not whole.trees
    expected = set(map(tuple, whole.find(query).tolist()))
    found = set(map(tuple, tree.find(query).tolist()))
    assert {(i, i) for i in range(number)} <= expected
    assert len(found & expected) >= 0.98 * len(expected)


@pytest.mark.parametrize("whole", [10_000, 100])
def test_lookalikes_of_collapsed_thumbnails_are_few(whole, monkeypatch):
    monkeypatch.setattr(neighbours, "WHOLE", whole)
    base = np.full((3000, 1, 2, 32, 32), 250, np.uint8)
    found = Lookalikes(lambda rows: base[rows], len(base)).find(base)
    assert max(Counter(found[:, 0].tolist()).values()) <= 2 * (NUM_NEIGHBOURS + 1)


def test_no_lookalikes_of_nothing():
    none = np.zeros((0, 1, 2, 32, 32), np.uint8)
    assert len(Lookalikes(lambda rows: none[rows], 0).find(blurry(3))) == 0
    one = blurry(1)
    made = Lookalikes(lambda rows: one[rows], 1)
    assert len(made.find(none)) == 0
    assert made.find(one).tolist() == [[0, 0]]


def test_orientations_are_the_eight():
    thumb = blurry(1)[0, 0, 0]
    made = orientations(thumb)
    assert len({m.tobytes() for m in made}) == 8
    picture = PIL.Image.fromarray(thumb)
    turned = {np.asarray(picture.transpose(way)).tobytes() for way in PIL.Image.Transpose} | {thumb.tobytes()}
    assert {np.ascontiguousarray(m).tobytes() for m in made} == turned

"""Encoders: real ones from packages, tiny ones built here, and what is refused."""

import subprocess
import sys

import datasets
import numpy as np
import pytest

import mmcurate as mm
from mmcurate.canonical import as_table, canonical
from mmcurate.embed import ClipImages, Embeddings, Encoder, Model2Vec, Named, StaticText, question_vectors, unit_vectors
from mmcurate.errors import SettingsError
from mmcurate.sample import DiverseResponses, FacilityLocation
from mmcurate.step import as_json, fingerprint
from tests.conftest import picture

TEXTS = ["How many cats are there?", "How many dogs are there?", "Solve the integral of x^2."]


class Colour:
    """The mean colour of pictures, and how many characters and words a text has."""

    def __init__(self):
        self.num_items = 0

    def encode(self, items):
        self.num_items += len(items)
        if isinstance(items[0], str):
            return [[len(t), len(t.split())] for t in items]
        return np.array([np.asarray(image).mean(axis=(0, 1)) for image in items])


def said(make):
    with pytest.raises(SettingsError) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows(*questions):
    made = [canonical({"id": str(i), **q}, i, {}) for i, q in enumerate(questions)]
    for row, files in made:
        for struct, (_, data) in zip(row["images"], files, strict=True):
            struct.update(bytes=data, path=None)
    return as_table([row for row, _ in made])


def test_static_text_is_wordllama(tmp_path):
    code = (
        "import sys, numpy as np, logging; from mmcurate.embed import StaticText\n"
        f"ours = StaticText().encode({TEXTS!r})\n"
        "assert 'wordllama' not in sys.modules and not logging.getLogger().handlers\n"
        "import wordllama; from pathlib import Path\n"
        "theirs = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)\n"
        f"assert np.abs(theirs.embed({TEXTS!r}, norm=True) - ours).max() < 1e-6\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_static_text():
    encoder = StaticText()
    assert isinstance(encoder, Encoder)
    vectors = encoder.encode([*TEXTS, "", TEXTS[0]])
    assert (vectors.shape, vectors.dtype) == ((5, 256), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0, 1], rtol=1e-6)
    assert vectors[0] @ vectors[1] > 0.4 > 0.1 > vectors[0] @ vectors[2]
    assert (vectors[0] == vectors[4]).all()
    assert (encoder.encode(TEXTS[1:2]) == vectors[1]).all(), "a text's vector depends on no other text"
    assert encoder.encode([]).shape == (0, 256)
    assert encoder.fingerprint() == "wordllama l2_supercat_256 86e57594b8703beb"


def test_without_the_package(tmp_path):
    code = (
        "import sys, importlib.util; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'wordllama' else found(name, *rest)\n"
        "from mmcurate.sample import FacilityLocation\n"
        "try: FacilityLocation(3).check()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("SettingsError StaticText needs the package wordllama")
    assert "pip install 'mmcurate[embed]'" in done.stdout


def model2vec_folder(folder, words):
    pytest.importorskip("model2vec", reason="model2vec isn't installed")
    from model2vec import StaticModel
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[UNK]", *words])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.vstack([np.zeros(len(words)), np.eye(len(words))]).astype(np.float32)
    StaticModel(vectors, tokenizer).save_pretrained(folder)
    return folder


def test_model2vec(tmp_path):
    folder = model2vec_folder(tmp_path / "model", ["cat", "dog", "x"])
    encoder = Model2Vec(str(folder))
    half = 0.5**0.5
    np.testing.assert_allclose(unit_vectors(encoder, ["cat", "dog cat"]), [[1, 0, 0], [half, half, 0]], atol=1e-6)
    assert encoder.encode([]).shape[0] == 0
    same = encoder.fingerprint()
    assert same.startswith("model2vec ")
    assert str(folder) not in same
    folder.rename(tmp_path / "moved")
    assert Model2Vec(str(tmp_path / "moved")).fingerprint() == same
    (tmp_path / "moved" / "config.json").write_text("{}")
    assert Model2Vec(str(tmp_path / "moved")).fingerprint() != same
    assert Model2Vec("minishlab/potion-base-8M").fingerprint() == "model2vec minishlab/potion-base-8M"


def test_named():
    encoder = Named(Colour(), "colour-1")
    assert as_json(FacilityLocation(3, encoder=encoder))["encoder"] == {"fingerprint": "named colour-1"}
    assert fingerprint(DiverseResponses(encoder=encoder)) != fingerprint(DiverseResponses())
    damaged = picture("red")[:60]
    got = unit_vectors(encoder, [picture("red"), damaged, picture("lime")])
    np.testing.assert_array_equal(got, np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0]], np.float32))
    assert encoder.encode([]).shape == (0, 1)
    assert "no method encode" in said(lambda: Named("colour", "x"))
    assert "name" in said(lambda: Named(Colour(), ""))


def test_what_is_no_encoder():
    assert "wrap it as Named(Colour(...)" in said(lambda: FacilityLocation(3, encoder=Colour()))
    assert "such as StaticText()" in said(lambda: FacilityLocation(3, encoder="all-MiniLM-L6-v2"))
    assert "StaticText" in said(lambda: FacilityLocation(3, encoder=StaticText))
    assert "wrap it as Named" in said(lambda: DiverseResponses(encoder=Colour()))


def test_a_wrong_encoder_is_named():
    class Wrong:
        def encode(self, items):
            return [[np.nan]] * len(items)

    with pytest.raises(ValueError, match="named wrong returned"):
        unit_vectors(Named(Wrong(), "wrong"), ["a"])


def test_question_vectors():
    colour = Colour()
    table = rows(
        {"question": "a b", "images": [picture("red"), picture("lime")]},
        {"question": "a b", "images": [picture("red")]},
        {"question": "abc de", "options": ["12", "3"]},
    )
    step = Embeddings(Named(colour, "text"), Named(colour, "colour"))
    vectors = question_vectors(step(table))
    assert colour.num_items == 3 + 2, "a picture that two questions show is encoded once"
    text = np.array([3, 2]) / 13**0.5
    half = 0.5**0.5
    np.testing.assert_allclose(vectors[0], [*text * half, 0.5, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(vectors[1], [*text * half, half, 0, 0], atol=1e-6)
    np.testing.assert_allclose(vectors[2], [*np.array([11, 4]) / 137**0.5, 0, 0, 0], atol=1e-6)
    text_only = Embeddings(Named(colour, "text"))
    assert "images" not in text_only.requires
    np.testing.assert_allclose(question_vectors(text_only(table))[0], text, atol=1e-6)
    assert question_vectors(step(table.slice(0, 0))).shape[0] == 0


def test_a_shard_without_pictures_beside_one_with():
    step = Embeddings(Named(Colour(), "text"), Named(Colour(), "colour"))
    both = [step(rows({"question": "a"})), step(rows({"question": "b", "images": [picture("blue")]}))]
    import pyarrow as pa

    assert question_vectors(pa.concat_tables(both)).shape == (2, 5)


def test_clip_images(tmp_path):
    reason = "torch and transformers aren't installed"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.SiglipConfig(
        text_config={**small, "vocab_size": 8}, vision_config={**small, "image_size": 32, "patch_size": 8}
    )
    transformers.SiglipModel(config).save_pretrained(tmp_path)
    transformers.SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    encoder = ClipImages(str(tmp_path), device="cpu", batch_size=2)
    vectors = unit_vectors(encoder, [picture("red"), picture("blue"), picture("red", kind="BMP"), b"no picture"])
    assert vectors.shape == (4, 16)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4
    assert not vectors[3].any()
    assert encoder.fingerprint() == ClipImages(str(tmp_path)).fingerprint() != ClipImages().fingerprint()


def test_apply():
    data = datasets.Dataset.from_list([{"question": t} for t in TEXTS])
    got = mm.apply(Embeddings(), data)
    np.testing.assert_array_equal(np.array(got["text_vector"], np.float32), StaticText().encode(TEXTS))
    assert got["image_vector"][:] == [None] * 3

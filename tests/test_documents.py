"""What the README, CONTRIBUTING and the notebooks show runs as it is shown."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def snippets(name):
    return re.findall(r"^( *)```python\n(.*?)^ *```", (ROOT / name).read_text("utf-8"), re.S | re.M)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_snippets(name, tmp_path, monkeypatch):
    import textwrap

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place: dict[str, object] = {"__name__": "snippet"}
    found = snippets(name)
    assert found
    for _, code in found:
        exec(compile(textwrap.dedent(code), name, "exec"), place)


def test_the_verdicts_of_the_readme():
    from mmcurate.verify import Policy, grade

    shown = re.findall(r"^(grade\(.*\)\.verdict)\s+# (\w+)", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert len(shown) >= 4
    for code, verdict in shown:
        assert eval(code, {"grade": grade, "Policy": Policy}) == verdict, code


def test_the_readme_names_real_options():
    recipes = [path.read_text("utf-8") for path in (ROOT / "recipes").glob("*.py")]
    text = re.sub(r"accelerate launch.*?(?=recipes/train)", "", (ROOT / "README.md").read_text("utf-8"), flags=re.S)
    shown = set(re.findall(r"--[a-z][a-z-]+", text))
    assert shown - {"--help"} <= {
        option for text in recipes for option in re.findall(r'add(?:_argument)?\(\s*"(--[a-z-]+)"', text)
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks(path, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = "".join(str(o.get("data", "")) for cell in notebook.cells for o in cell.get("outputs", []))
    assert "data:image/jpeg;base64" in shown

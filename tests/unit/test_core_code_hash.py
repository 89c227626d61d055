"""Two runs are of the same code if and only if the code that decides a result is the same, wherever it lies."""

import shutil
from pathlib import Path

import pytest

from hcrlib.core import code_hash
from hcrlib.core.code_hash import DECIDING, ROOT, code_sha256, definitions

DECIDING_FILES = sorted({path.relative_to(ROOT) for pattern in DECIDING for path in ROOT.glob(pattern)})


@pytest.fixture
def copy(tmp_path):
    """A copy of the deciding modules, and their hash."""
    root = tmp_path / "hcrlib"
    for name in DECIDING_FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root, code_sha256(root)


@pytest.mark.parametrize("name", ["tasks/recognition/measuring.py", "models/knn.py"])
def test_a_statement_added_to_a_deciding_module_is_other_code(copy, name):
    root, before = copy
    with (root / name).open("a") as file:
        file.write("\nsomething = 1\n")
    code_sha256.cache_clear()
    assert code_sha256(root) != before


@pytest.mark.parametrize(
    "name",
    ["runs/runner.py", "tasks/base.py", "tasks/recognition/measuring.py", "models/crnn.py", "metrics/statistics.py"],
)
def test_measuring_is_deciding(name):
    """Recognisers' measuring was once forgotten: a changed CER then passed as the same code."""
    assert Path(name) in DECIDING_FILES


SOURCE = '''
"""A module."""
import numpy as np

from hcrlib import metrics
from hcrlib.core.rng import seed_for as derived


def measured(labels, answers, seed: int):
    """The number of wrong answers."""
    # counted once
    wrong = metrics.misses(labels, answers)
    try:
        again = np.mean([one + derived(seed, "x") for one in labels])
    except ValueError as error:
        raise RuntimeError(f"This is no label: {error}") from error
    return wrong + again
'''
SAME = '''
import numpy as np

from hcrlib.core.seeds import seed_for
from hcrlib.metrics.scores import misses


def measured(labels, answers, seed) -> float:
    """Count the wrong answers; numpydoc, at length."""
    n_wrong = misses(labels, answers)
    try:
        mean = np.mean([label + seed_for(seed, "x") for label in labels])
    except ValueError as problem:
        raise RuntimeError(f"not a valid label: {problem}", 5)
    return n_wrong + mean
'''


def test_english_annotations_local_names_and_places_decide_nothing():
    assert definitions(SOURCE) == definitions(SAME)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("wrong + again", "again + wrong"),
        ("np.mean", "np.median"),
        ("import numpy as np", "import cupy as np"),
        ("metrics.misses", "metrics.hits"),
        ('"x"', '"y"'),
        ("measured(", "judged("),
        ("answers, seed: int", "answers, seed: int = 3"),
        ("ValueError", "TypeError"),
        ("RuntimeError", "KeyError"),
        ("return", "print(wrong)\n    return"),
        ("in labels]", "in answers]"),
    ],
)
def test_what_is_computed_decides(old, new):
    assert old in SOURCE
    assert definitions(SOURCE) != definitions(SOURCE.replace(old, new))


def test_a_definition_that_moves_to_another_deciding_module_is_the_same_code(copy):
    root, before = copy
    text = (root / "core/timing.py").read_text().split('"""', 2)[2]
    (root / "core/timing.py").write_text("")
    with (root / "metrics/scores.py").open("a") as file:
        file.write(text)
    code_sha256.cache_clear()
    assert code_sha256(root) == before


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="recognition"):
        code_sha256(tmp_path, ("runs/recognition.py",))


def test_the_hash_is_computed_once_per_code(copy, monkeypatch, tmp_path):
    """Every command would otherwise wait seconds for it; what a killed process left there is computed again."""
    root, before = copy
    computed = []
    monkeypatch.setattr(code_hash, "definitions", lambda *given: computed.append(1) or definitions(*given))
    code_sha256.cache_clear()
    assert (code_sha256(root), computed) == (before, [])
    (root / "models/knn.py").write_text("k = 1")
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        code_sha256.cache_clear()
        after = code_sha256(root)
        assert after != before
        [kept] = (tmp_path / "cache/code").iterdir()
        assert kept.read_text() == after
        kept.write_text("half a ha")
    assert len(computed) == 2 * len(DECIDING_FILES)

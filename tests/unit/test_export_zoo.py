"""Models that are kept: as their method wrote them or as ONNX, with a card that names no folder of this machine."""

import numpy as np
import pytest

import hcrlib
from hcrlib.core.errors import ConfigError
from hcrlib.datasets.idx import to_idx
from hcrlib.export import zoo


def glyphs(n):
    return np.random.RandomState(0).randint(0, 256, (n, 28, 28)).astype(np.uint8)


def test_the_card_of_ones_own_data_names_no_folder_and_no_census(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    images, labels = (tmp_path / "own" / name for name in ("i", "l"))
    images.write_bytes(to_idx(glyphs(60)))
    labels.write_bytes(to_idx(np.arange(60, dtype=np.uint8) % 3))
    (own / "dataset.yml").write_text(
        "name: signs\nformat: idx\nimages: [i, l]\ntest_fraction: 0.3\nclasses: ['|', a, b]\nink: light\nlicence: CC0\n"
    )
    run = hcrlib.train("knn", data=own, say=lambda line: None)
    card = (zoo.add("signs", run.id) / "README.md").read_text()
    assert str(tmp_path) not in card
    assert "Census" not in card
    for words in ("signs: ", "licence: CC0", "hcr train knn --data signs", "\\|", "fitted in "):
        assert words in card
    with pytest.raises(ConfigError, match="not a run's id"):
        zoo.add("other", str(run.path))

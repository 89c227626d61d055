"""The notebooks of studies give what they were committed with.

Their code runs in this process, as a kernel for each would take longer than all of them, and the runs of all are made once.
"""

import ast
import shutil

import notebook_execution
import notebook_rules
import numpy as np
import pytest

from hcrlib.models.mlp import Mlp
from hcrlib.runs import runner
from hcrlib.sweeps import plan

STUDIES = sorted((notebook_execution.ROOT / "notebooks/studies").glob("*.ipynb"))

pytestmark = [pytest.mark.slow, pytest.mark.long]


def smoke(path):
    """The plan of a notebook's small runs."""
    return plan.load(notebook_execution.ROOT / f"params/studies/{path.stem}.yml", smoke=True)


def stand_in(patch):
    """Let a multilayer perceptron guess by its seeds: what the study of seeds makes of the runs needs no network."""

    def fit(self, x, y, x_val, y_val, context):
        self.engine, self.n_classes = "stand-in", context.n_classes
        rng = np.random.default_rng((self.weights_seed or 0, context.seed))
        means = np.stack([x[y == label].mean(axis=0).ravel() for label in range(context.n_classes)])
        self.means = means + 0.1 * rng.normal(size=means.shape)

    def scores(self, x):
        logits = -((x.reshape(len(x), 1, -1) - self.means) ** 2).sum(axis=2)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

    methods = {"fit": fit, "scores": scores, "prepare": lambda self: None, "save": lambda self, folder: None}
    for name, method in {**methods, "n_parameters": 0}.items():
        patch.setattr(Mlp, name, method)


@pytest.fixture(scope="module")
def made(shared, tiny_cnn):
    """The folder of results that holds the small runs of all studies."""

    def make(folder):
        shutil.copytree(tiny_cnn[1] / "runs", folder / "runs")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HCR_RESULTS", str(folder))
            stand_in(patch)
            for path in STUDIES:
                for config in smoke(path).missing():
                    assert config.classifier != "cnn-basic", "it should be that of tiny_cnn"
                    runner.run_one(config, log=lambda line: None)

    return shared("studies", make)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_it_shows_what_was_committed(path, made, monkeypatch):
    monkeypatch.setenv("HCR_RESULTS", str(made))
    monkeypatch.chdir(notebook_execution.ROOT / "notebooks")
    names = {"display": lambda value: None}
    for at, cell in notebook_rules.code_cells(path):
        body = notebook_rules.tree(at, cell).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), path.name, "exec"), names)
        value = last and eval(compile(ast.Expression(last.value), path.name, "eval"), names)
        if notebook_rules.CHECK in notebook_rules.tags_of(cell):
            assert value._repr_html_() == cell.outputs[0].data["text/html"]
    answer = (smoke(path).folder / "answer.md").read_text(encoding="utf-8")
    assert answer.startswith(f"**{smoke(path).question}** ")
    assert "nan" not in answer

"""What a process has set for Keras and other libraries: no run depends on it, and it is restored."""

import numpy as np
import pytest

import hcrlib as hcr
from hcrlib import records
from hcrlib.core.errors import ConfigError, RunError
from hcrlib.models import CLASSIFIERS, _settings

UNUSUAL = {
    "keras floatx": "float64",
    "keras epsilon": 0.01,
    "keras image_data_format": "channels_first",
    "keras dtype_policy": "mixed_float16",
    "tensorflow eager": True,
    "tensorflow jit": "autoclustering",
    "tensorflow auto_mixed_precision": True,
}


@pytest.fixture
def unusual():
    """The settings of another project."""
    import keras
    import tensorflow as tf

    with _settings.fixed(), np.errstate(over="raise"):  # restores what is set here: it was usual
        keras.config.set_floatx("float64")
        keras.config.set_epsilon(0.01)
        keras.config.set_image_data_format("channels_first")
        keras.config.set_dtype_policy("mixed_float16")
        tf.config.run_functions_eagerly(True)
        tf.config.optimizer.set_jit(True)
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": True})
        yield
        keras.config.set_dtype_policy("float32")
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
        keras.config.set_image_data_format("channels_last")
        tf.config.run_functions_eagerly(False)
        tf.config.optimizer.set_jit(False)
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision": False})


def test_a_run_depends_on_no_setting_and_restores_all(tiny_cnn, unusual):
    before = _settings.in_force(True)
    run = hcr.train("cnn-basic", epochs=1, width=4, budget=1000, say=lambda line: None)
    after = _settings.in_force(True)
    assert {name: after[name] for name in UNUSUAL} == UNUSUAL
    assert (after, np.geterr()["over"]) == (before, "raise")
    first, folder = tiny_cnn
    assert run.id == first.id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HCR_RESULTS", str(folder))
        expected = records.load_predictions(first)
    assert (records.load_predictions(run)["scores"] == expected["scores"]).all()
    recorded = run.provenance["settings"]
    assert (recorded["keras dtype_policy"], recorded["keras backend"]) == ("float32", "tensorflow")
    assert recorded == first.provenance["settings"]


def test_another_backend_than_the_chosen_one_is_an_error(monkeypatch):
    import keras  # noqa: F401

    monkeypatch.setenv("KERAS_BACKEND", "jax")
    expected = pytest.raises(RunError, match="another backend.*Expected jax, got tensorflow.*KERAS_BACKEND=jax")
    with expected, _settings.fixed():
        pytest.fail("it was not noticed")


def test_what_decides_is_recorded(monkeypatch):
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    assert _settings.in_force(False)["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2"


def test_bfloat16_ends_with_its_calls(monkeypatch):
    from tensorflow.config import optimizer

    def option():
        return optimizer.get_experimental_options()[_settings.BFLOAT16]

    before = _settings.in_force(True)
    with _settings.bfloat16():
        assert option()
        assert _settings.in_force(True) == before, "the run's parameter records it"
        with _settings.fixed():
            assert not option()
        assert option()
    assert not option()
    assert isinstance(_settings.has_bfloat16(), bool)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ConfigError, match="bfloat16 needs TensorFlow.*Got KERAS_BACKEND=jax"), _settings.bfloat16():
        pytest.fail("it was not noticed")
    with pytest.raises(ConfigError, match="bfloat16 needs TensorFlow"):
        CLASSIFIERS.get("cnn-basic").create({"bfloat16": True}).prepare()

import numpy as np
import pytest

from hcrlib.models._graph import forward
from hcrlib.models._keras import quiet_keras

pytestmark = pytest.mark.slow  # imports TensorFlow


def test_each_of_several_networks_is_compiled_without_a_warning(caplog):
    keras = quiet_keras()
    for scale in range(7):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(scale)])
        assert (forward(model)(np.ones((2, 1))) == scale).all()
    assert caplog.messages == []

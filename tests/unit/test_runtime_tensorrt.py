"""TensorRT's calls, in the order of each version, against a stand-in; the cache of engines."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from hcrlib.runtime.engines import tensorrt


class Settings:
    """A stand-in for an engine of TensorRT: of a network that returns its first two pixels."""

    def __init__(self, memory, newer):
        self.memory, self.shapes = memory, {}
        names = {"images": (-1, 28, 28, 1), "scores": (-1, 2)}
        if newer:
            self.num_io_tensors = 2
            self.get_tensor_name = lambda index: list(names)[index]
            self.get_tensor_mode = lambda name: "TensorIOMode.INPUT" if name == "images" else "TensorIOMode.OUTPUT"
            self.get_tensor_shape = names.get
            self.get_tensor_profile_shape = lambda name, profile: [(1,), (1,), (4, 28, 28, 1)]
        else:
            self.num_bindings = 2
            self.binding_is_input = lambda index: index == 0
            self.get_binding_shape = lambda index: list(names.values())[index]
            self.get_profile_shape = lambda profile, index: [(1,), (1,), (4, 28, 28, 1)]

    def create_execution_context(self):
        return self

    def set_binding_shape(self, index, shape):
        self.shapes[index] = shape

    set_input_shape = set_binding_shape

    def execute_async_v2(self, bindings, stream):
        assert stream == 7
        [shape] = self.shapes.values()
        given = np.frombuffer(self.memory[bindings[0]], np.float32)[: int(np.prod(shape))].reshape(shape[0], -1)
        self.memory[bindings[1]][: 8 * shape[0]] = given[:, :2].tobytes()
        return True

    def set_tensor_address(self, name, address):
        self.bindings = {**getattr(self, "bindings", {}), name: address}

    def execute_async_v3(self, stream):
        return self.execute_async_v2([self.bindings["images"], self.bindings["scores"]], stream)


@pytest.mark.parametrize("newer", [False, True])
def test_tensorrt_is_called_as_its_version_wants(newer, monkeypatch, tmp_path):
    import ctypes

    memory = {}

    class Cuda:
        stream = 7

        def allocate(self, size):
            memory[len(memory) + 1] = bytearray(size)
            return len(memory)

        def copy(self, to, source, size, kind):
            if kind == tensorrt.TO_DEVICE:
                memory[to][:size] = ctypes.string_at(source, size)
            else:
                ctypes.memmove(to, bytes(memory[source][:size]), size)

        def wait(self):
            pass

    fake = types.ModuleType("tensorrt")
    fake.__version__ = "8.2.1"
    fake.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    read = {b"an engine": Settings(memory, newer)}
    fake.Runtime = lambda logger: types.SimpleNamespace(deserialize_cuda_engine=read.get)
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    monkeypatch.setattr(tensorrt, "_Cuda", Cuda)
    path = tmp_path / "m.engine"
    path.write_bytes(b"an engine")
    network = tensorrt.TensorRTNetwork(path)
    x = np.random.RandomState(0).rand(9, 28, 28).astype(np.float32)
    np.testing.assert_array_equal(network.scores(x), x.reshape(9, -1)[:, :2])  # in threes of 4, 4 and 1
    assert (network.engine, network.shape, network.n_classes) == ("TensorRT 8.2.1", (28, 28, 1), 2)
    path.write_bytes(b"of another version")
    with pytest.raises(ValueError, match="not built for this GPU"):
        tensorrt.TensorRTNetwork(path)


def test_an_engine_is_cached_by_model_version_and_precision(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tensorrt", types.SimpleNamespace(__version__="8.2.1"))
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(b"a network")
    with pytest.raises(ValueError, match="no engine was built"):
        tensorrt.built(onnx)
    half, single = (tensorrt.engine_path(onnx, "8.2.1", precision) for precision in tensorrt.PRECISIONS)
    assert tensorrt.engine_path(onnx, "10.3", "fp16") != half
    for path in (single, half):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"x")
        assert tensorrt.built(onnx) == path

"""Networks in TensorRT, on a Jetson's GPU: an engine that `trtexec` built from model.onnx, on the board itself.

An engine is valid for one GPU and one version of TensorRT only, so it is built where it runs and cached in the user's folder,
named after the model's SHA-256, the version and the precision. libcudart, through ctypes, copies to and from the GPU.
"""

import ctypes
import os
import threading

import numpy as np

from .._files import sha256
from .onnx import MissingError, checked_shape

TO_DEVICE, TO_HOST = 1, 2  # cudaMemcpyKind
LIBRARIES = "libcudart.so.12", "libcudart.so.11.0", "libcudart.so.10.2", "libcudart.so"
PRECISIONS = "fp16", "fp32"


def engine_path(onnx, version, precision="fp16"):
    """Return the path of a model.onnx's engine in the cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "hcrlib", "engines", "%s-trt%s-%s.engine" % (sha256(onnx)[:16], version, precision))


def open_engine(onnx, threads=None):
    """Open the TensorRTNetwork that was built from a model.onnx. threads: ignored, the GPU computes."""
    return TensorRTNetwork(built(onnx))


def built(onnx):
    """Return the path of the fastest engine that was built from a model.onnx; MissingError where there is none."""
    import tensorrt

    for precision in PRECISIONS:
        path = engine_path(onnx, tensorrt.__version__, precision)
        if os.path.isfile(path):
            return path
    raise MissingError("no engine was built from %s on this machine: benchmark.py builds it" % onnx)


class TensorRTNetwork:
    """Probabilities from an engine, in place of a Network.

    Raises ImportError without TensorRT, OSError without CUDA, ValueError for an engine of another version or GPU.
    """

    backend = "tensorrt"

    def __init__(self, path):
        import tensorrt

        self.name, self.path = "", str(path)
        self.engine = "TensorRT " + tensorrt.__version__
        self._cuda = _Cuda()
        with open(self.path, "rb") as file:
            content = file.read()
        self._runtime = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(content)
        if self._engine is None:
            raise ValueError("%s was not built for this GPU and this TensorRT: build it again" % self.path)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise ValueError("the GPU has not enough memory for %s" % self.path)
        self._call = (_Named if hasattr(self._engine, "num_io_tensors") else _Numbered)(self._engine, self._context)
        self.shape, self.n_classes = tuple(self._call.shape[1:]), self._call.n_classes
        self.batch = self._call.largest
        self._lock = threading.Lock()  # the memory belongs to one call at a time
        self._memory = [
            self._cuda.allocate(4 * self.batch * int(np.prod(self.shape))),
            self._cuda.allocate(4 * self.batch * self.n_classes),
        ]

    def scores(self, x):
        """Return float32 (n, k), rows sum to 1, of a Pipeline's output: float32 (n, 28, 28) or (n, d).

        Raises ValueError for images of another shape than those it was trained on.
        """
        x = checked_shape(x, self.shape)
        out = np.empty((len(x), self.n_classes), np.float32)
        with self._lock:
            for start in range(0, len(x), self.batch):
                part, answers = x[start : start + self.batch], out[start : start + self.batch]
                self._cuda.copy(self._memory[0], part.ctypes.data, part.nbytes, TO_DEVICE)
                if not self._call.run(part.shape, self._memory, self._cuda.stream):
                    raise RuntimeError("TensorRT could not run %s" % self.path)
                self._cuda.wait()
                self._cuda.copy(answers.ctypes.data, self._memory[1], answers.nbytes, TO_HOST)
        return out


class _Numbered:
    """Call an engine of TensorRT before 8.5: its input and output are numbered."""

    def __init__(self, engine, context):
        self._context = context
        given = [index for index in range(engine.num_bindings) if engine.binding_is_input(index)]
        answers = [index for index in range(engine.num_bindings) if not engine.binding_is_input(index)]
        if len(given) != 1 or len(answers) != 1:
            raise ValueError("the engine has %d inputs and %d outputs, not one of each" % (len(given), len(answers)))
        self._given = given[0]
        self.shape, self.n_classes = engine.get_binding_shape(given[0]), engine.get_binding_shape(answers[0])[1]
        self.largest = self.shape[0] if self.shape[0] > 0 else engine.get_profile_shape(0, given[0])[2][0]

    def run(self, shape, memory, stream):
        """Return whether it ran. memory: addresses on the GPU, of the input and of the output."""
        self._context.set_binding_shape(self._given, shape)
        bindings = [int(address) for address in (memory if self._given == 0 else memory[::-1])]
        return self._context.execute_async_v2(bindings, stream)


class _Named:
    """Call an engine of TensorRT 8.5 and later: its input and output are named."""

    def __init__(self, engine, context):
        self._context = context
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        if len(names) != 2:
            raise ValueError("the engine has %d inputs and outputs, not one of each" % len(names))
        is_input = [str(engine.get_tensor_mode(name)).upper().endswith("INPUT") for name in names]
        self._given, self._answers = names if is_input[0] else names[::-1]
        self.shape, self.n_classes = engine.get_tensor_shape(self._given), engine.get_tensor_shape(self._answers)[1]
        self.largest = self.shape[0] if self.shape[0] > 0 else engine.get_tensor_profile_shape(self._given, 0)[2][0]

    def run(self, shape, memory, stream):
        """Return whether it ran. memory: addresses on the GPU, of the input and of the output."""
        self._context.set_input_shape(self._given, shape)
        for name, address in zip((self._given, self._answers), memory):
            self._context.set_tensor_address(name, int(address))
        return self._context.execute_async_v3(stream)


class _Cuda:
    """Memory on the GPU, through libcudart. OSError where that library is missing; RuntimeError where a call fails."""

    def __init__(self):
        self._library = _loaded()
        stream = ctypes.c_void_p()
        self._check(self._library.cudaStreamCreate(ctypes.byref(stream)), "cudaStreamCreate")
        self.stream, self._allocated = stream.value, []

    def allocate(self, size):
        """Return the address of that many bytes; they are freed with this object."""
        address = ctypes.c_void_p()
        self._check(self._library.cudaMalloc(ctypes.byref(address), ctypes.c_size_t(size)), "cudaMalloc")
        self._allocated.append(address.value)
        return address.value

    def copy(self, to, source, size, kind):
        """Copy that many bytes to the GPU or back; done when it returns."""
        call = self._library.cudaMemcpy
        self._check(call(ctypes.c_void_p(to), ctypes.c_void_p(source), ctypes.c_size_t(size), kind), "cudaMemcpy")

    def wait(self):
        """Wait until the stream's work is done."""
        self._check(self._library.cudaStreamSynchronize(ctypes.c_void_p(self.stream)), "cudaStreamSynchronize")

    def __del__(self):
        for address in getattr(self, "_allocated", []):
            self._library.cudaFree(ctypes.c_void_p(address))
        if getattr(self, "stream", None):
            self._library.cudaStreamDestroy(ctypes.c_void_p(self.stream))

    def _check(self, status, call):
        if status:
            raise RuntimeError("%s failed with CUDA error %d" % (call, status))


def _loaded():
    """Load libcudart of any version; OSError where there is none."""
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            missing = str(error)
    raise OSError("CUDA is not installed: %s" % missing)

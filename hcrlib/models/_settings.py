"""Library settings that affect a result: the same for every run, whatever the process has set.

A notebook's `set_dtype_policy("mixed_float16")`, or another project's keras.json, must not change what a run id stands for.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hcrlib.core.errors import ConfigError, RunError

BACKEND = "tensorflow"  # unless KERAS_BACKEND names another one; keras.json has no say
EAGER = False  # tests run small networks without graphs, which take seconds to build
BFLOAT16 = "auto_mixed_precision_onednn_bfloat16"
KERAS = {  # keras.config.<name>() -> value
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
ENVIRONMENT = (  # variables by which libraries choose how to compute
    *("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE"),
    *("TF_XLA_FLAGS", "XLA_FLAGS", "NVIDIA_TF32_OVERRIDE", "TF_OVERRIDE_GLOBAL_JIT", "CUDA_VISIBLE_DEVICES"),
    *("OPENBLAS_CORETYPE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES"),
)


def backend() -> str:
    """Return the Keras backend to use: `KERAS_BACKEND`, or TensorFlow."""
    return os.environ.get("KERAS_BACKEND") or BACKEND


@contextlib.contextmanager
def fixed() -> Iterator[None]:
    """Fix the settings of the loaded libraries, and restore the caller's afterwards.

    Raises RunError if Keras was loaded with a backend other than `backend()`: it cannot be exchanged.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        if "sklearn" in sys.modules:
            from sklearn import config_context

            stack.enter_context(config_context(transform_output="default"))
        if "keras" in sys.modules:
            _fix_keras(stack)
        yield


@contextlib.contextmanager
def bfloat16() -> Iterator[None]:
    """Let TensorFlow multiply bfloat16 numbers and sum float32 ones in the calls that are made inside.

    Weights stay float32, and so does what loses by rounding, such as the softmax. oneDNN does so on processors with AVX-512,
    and is slow there without its extension AVX512_BF16; on others nothing changes: see `has_bfloat16`. Source: Kalamkar et
    al. 2019, arXiv 1905.12322. Raises what `check_bfloat16` does.
    """
    check_bfloat16()
    import tensorflow as tf

    with contextlib.ExitStack() as stack:
        before, _, set_value = _option(tf.config.optimizer, BFLOAT16)
        _set(stack, set_value, before, True)
        yield


def check_bfloat16() -> None:
    """Raise ConfigError if the backend of Keras is not TensorFlow."""
    if backend() != "tensorflow":
        raise ConfigError("bfloat16 needs TensorFlow", got=f"KERAS_BACKEND={backend()}", hint="Unset KERAS_BACKEND")


def has_bfloat16() -> bool:
    """Return whether `bfloat16` changes how this machine multiplies."""
    with bfloat16():
        import tensorflow as tf

        product = tf.function(lambda x: tf.matmul(tf.matmul(x, x), x))
        numbers = tf.constant(np.random.RandomState(0).rand(64, 64), tf.float32)
        rounded = product(numbers)
    return bool(tf.reduce_any(rounded != product(numbers)))


def in_force(keras: bool) -> dict[str, Any]:
    """Return what may differ from process to process, for a record. keras: whether the run used Keras."""
    found: dict[str, Any] = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    if keras:
        from keras import config

        found |= {f"keras {name}": getattr(config, name)() for name in KERAS if hasattr(config, name)}
        found |= {"keras dtype_policy": config.dtype_policy().name, "keras backend": config.backend()}
        if config.backend() == "tensorflow":
            import tensorflow as tf

            found |= {f"tensorflow {name}": each[0] for name, each in _tensorflow(tf).items()}
            devices = sorted({device.device_type for device in tf.config.get_visible_devices()})
            found["tensorflow devices"] = ", ".join(devices)
    return found


def _fix_keras(stack: contextlib.ExitStack) -> None:
    from keras import config

    if config.backend() != backend():
        hint = f"Restart Python, with KERAS_BACKEND={backend()} set before Keras is imported; KERAS_BACKEND="
        hint += f"{config.backend()} chooses the other one, for results of its own"
        what = "Keras was loaded with another backend than that of this run"
        raise RunError(what, expected=backend(), got=config.backend(), hint=hint)
    stack.callback(config.set_dtype_policy, config.dtype_policy())
    config.set_dtype_policy("float32")
    for name, value in KERAS.items():
        if hasattr(config, name):
            _set(stack, getattr(config, f"set_{name}"), getattr(config, name)(), value)
    if config.backend() == "tensorflow":
        import tensorflow as tf

        for now, value, set_value in [*_tensorflow(tf).values(), _option(tf.config.optimizer, BFLOAT16)]:
            _set(stack, set_value, now, value)


def _set(stack: contextlib.ExitStack, set_value: Callable[[Any], Any], before: Any, value: Any) -> None:
    if before != value:
        stack.callback(set_value, before)
        set_value(value)


def _tensorflow(tf: Any) -> dict[str, tuple[Any, Any, Callable[[Any], Any]]]:
    """Return name -> (current value, value for runs, function that sets it)."""
    optimizer, experimental = tf.config.optimizer, tf.config.experimental
    tf32 = experimental.tensor_float_32_execution_enabled()
    return {
        "eager": (tf.config.functions_run_eagerly(), EAGER, tf.config.run_functions_eagerly),
        "jit": (optimizer.get_jit(), "", lambda value: optimizer.set_jit(value or False)),
        "auto_mixed_precision": _option(optimizer, "auto_mixed_precision"),
        "tf32": (tf32, True, experimental.enable_tensor_float_32_execution),
    }


def _option(optimizer: Any, name: str) -> tuple[bool, bool, Callable[[Any], Any]]:
    """Return the row of an option of TensorFlow's graph optimizer that runs switch off."""
    return (
        bool(optimizer.get_experimental_options().get(name)),
        False,
        lambda value: optimizer.set_experimental_options({name: value}),
    )

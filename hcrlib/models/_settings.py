"""Library settings that affect a result: the same for every run, whatever the process has set.

A notebook's `set_dtype_policy("mixed_float16")`, or another project's keras.json, must not change what a run id stands for.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hcrlib.core.errors import RunError

BACKEND = "tensorflow"  # unless KERAS_BACKEND names another one; keras.json has no say
EAGER = False  # tests run small networks without graphs, which take seconds to build
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

        for now, value, set_value in _tensorflow(tf).values():
            _set(stack, set_value, now, value)


def _set(stack: contextlib.ExitStack, set_value: Callable[[Any], Any], before: Any, value: Any) -> None:
    if before != value:
        stack.callback(set_value, before)
        set_value(value)


def _tensorflow(tf: Any) -> dict[str, tuple[Any, Any, Callable[[Any], Any]]]:
    """Return name -> (current value, value for runs, function that sets it)."""
    optimizer, experimental = tf.config.optimizer, tf.config.experimental
    mixed = "auto_mixed_precision"
    is_mixed = bool(optimizer.get_experimental_options().get(mixed))
    tf32 = experimental.tensor_float_32_execution_enabled()
    return {
        "eager": (tf.config.functions_run_eagerly(), EAGER, tf.config.run_functions_eagerly),
        "jit": (optimizer.get_jit(), "", lambda value: optimizer.set_jit(value or False)),
        mixed: (is_mixed, False, lambda value: optimizer.set_experimental_options({mixed: value})),
        "tf32": (tf32, True, experimental.enable_tensor_float_32_execution),
    }

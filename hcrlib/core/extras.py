"""Map missing libraries to the extras of `pip install hcrlib` that provide them."""

import contextlib
from collections.abc import Iterator

from hcrlib.core.errors import ConfigError

EXTRAS = {  # extra -> the modules it provides that hcrlib or `make notebooks` imports
    "documents": ("cv2", "skimage", "pypdfium2", "reportlab", "wordfreq", "numba"),
    "train": (
        "tensorflow",
        "keras",
        "keras_tuner",
        "onnx",
        "tf2onnx",
        "ai_edge_litert",
        "cv2",
        "wordfreq",
        "faker",
        "skimage",
    ),
    "cluster": ("distributed", "dask", "bokeh", "rich", "papermill", "ipykernel", "nbformat"),
    "lab": ("jupyterlab", "ipywidgets", "ipycanvas", "IPython", "nbconvert"),
    "serve": ("flask", "werkzeug", "waitress", "prometheus_client"),
    "sql": ("duckdb",),
    "photos": ("rapidocr",),
}
# Dependencies of an extra's libraries
BROUGHT_ALONG = {"jupyter_client": "cluster", "nbclient": "cluster", "h5py": "train"}


class MissingExtraError(ConfigError, ModuleNotFoundError):
    """A library of an extra is not installed."""


def extra_of(module: str | None, task: str = "") -> str | None:
    """Return the extra to suggest for a missing module such as "cv2" or "keras.ops", or None if no extra provides it.

    task: the extra of what was being done, suggested if it provides the module; otherwise the smallest one that does.
    """
    top = (module or "").partition(".")[0]
    found = [extra for extra, modules in EXTRAS.items() if top in modules]
    return min(found, key=lambda extra: (extra != task, len(EXTRAS[extra])), default=BROUGHT_ALONG.get(top))


def install_hint(module: str | None, task: str = "") -> str | None:
    """Return how to install a missing module, or None if no extra provides it; arguments as in `extra_of`."""
    extra = extra_of(module, task)
    return extra and f'Install it: pip install "hcrlib[{extra}]"'


@contextlib.contextmanager
def explained(task: str = "") -> Iterator[None]:
    """Turn a ModuleNotFoundError for an extra's library into a MissingExtraError; also usable as a decorator.

    task: as in `extra_of`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        hint = install_hint(error.name, task)
        if hint is None or isinstance(error, MissingExtraError):
            raise
        raise MissingExtraError(f"This needs '{error.name}', which is not installed", hint=hint) from error

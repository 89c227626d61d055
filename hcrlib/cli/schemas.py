"""Write the JSON schemas of the YAML files, for editors: `make schemas`."""

import json
import sys
from pathlib import Path

from hcrlib.claims.spec import ClaimsFile
from hcrlib.core.fileio import write_text
from hcrlib.datasets.description import Description
from hcrlib.documents.forms import FormFile
from hcrlib.sweeps.file import SweepFile

MODELS = {"sweep": SweepFile, "claims": ClaimsFile, "form": FormFile, "dataset": Description}


def write(folder):
    """Write NAME.json into a folder for each kind of YAML file."""
    for name, model in MODELS.items():
        write_text(Path(folder) / f"{name}.json", json.dumps(model.model_json_schema(), indent=1) + "\n")


if __name__ == "__main__":
    write(sys.argv[1])

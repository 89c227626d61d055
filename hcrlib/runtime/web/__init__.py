"""The web app: draw, upload or photograph a character and see what a model reads. Needs Flask and waitress.

`python3 -m runtime.web` in a bundle's folder serves that bundle; `hcr serve` serves every bundle of the workbench.
"""

import os

AUTO, CHARACTERS = (
    "auto",
    "characters",
)  # ways to read a page besides recognizers: by what it shows; character by character
STATIC = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "static"
)  # HTML, JavaScript, and the API's description

"""The page: draw, upload or photograph a character and see what a bundle reads. Flask and waitress beside the runtime's needs.

`python3 -m runtime.web` in a bundle's folder serves that bundle; `hcr serve` every bundle of the workbench.
"""

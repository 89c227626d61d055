"""`hcr compose`: compose pages with known boxes, or training images cut from such pages."""

import json
from pathlib import Path

from hcrlib.cli._common import add_command
from hcrlib.core.errors import ConfigError

DATA = "mnist-5k"


def add_parser(subparsers):
    """Add `compose` to an argparse subparsers object; it sets `func(args) -> exit status`."""
    summary = "compose a page of real handwritten characters with its ground truth, or training images from many pages"
    example = "hcr compose page.png --degradation ruled --data mnist-5k"
    add = add_command(subparsers, "compose", _compose, summary, example).add_argument
    add("out", help="FILE.png or .jpg, with its ground truth beside it in FILE.json; with --training, a folder")
    text = "how the page is written and photographed (default: plain); an unknown name lists all"
    add("--degradation", "--look", default="plain", metavar="NAME", help=text)
    add("--seed", type=int, default=0, metavar="N", help="seed of the page (default: 0)")
    add("--data", default=DATA, metavar="NAME", help=f"dataset of the characters (default: {DATA})")
    text = "split of the characters (default: val); test characters are reserved for measuring"
    add("--split", choices=("train", "val"), default="val", help=text)
    text = "a data set for `hcr train`: what segmentation finds on N pages of training characters"
    add("--training", type=int, metavar="N", help=text)


def _compose(args):
    from hcrlib.datasets import load_dataset

    if args.training is not None:
        return _training(args)
    from PIL import Image

    from hcrlib.core.registry import did_you_mean
    from hcrlib.documents import formats, synthesis

    name = args.degradation
    if name not in synthesis.DEGRADATIONS:
        raise ConfigError(f"Unknown degradation '{name}'", hint=did_you_mean(name, synthesis.DEGRADATIONS))
    path, data = Path(args.out), load_dataset(args.data)
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ConfigError("The image's format is not supported", expected="FILE.png or FILE.jpg", got=args.out)
    page = synthesis.compose(getattr(data, args.split), data.classes, synthesis.DEGRADATIONS[name], args.seed)
    truth = formats.as_dict(page.truth)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page.image).save(path)
    path.with_suffix(".json").write_text(json.dumps(truth), encoding="utf-8")
    print(f"{path}\n{path.with_suffix('.json')}")
    return 0


def _training(args):
    from hcrlib.datasets import load_dataset
    from hcrlib.documents import training_set

    if args.training < 1:
        raise ConfigError("--training is not valid", expected="a whole number >= 1", got=args.training)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    training_set.write(folder, load_dataset(args.data), args.training, max(1, args.training // 14))
    print(f"{folder}\nhcr train cnn-compact --data {folder}")
    return 0

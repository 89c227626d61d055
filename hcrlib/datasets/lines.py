"""The published datasets of real handwritten lines: folders in HCR_DATA, each with lines.tsv (see hcrlib.datasets.tsv)."""

from typing import NamedTuple

from hcrlib.datasets.text import TEXTS, TextEntry, found
from hcrlib.datasets.tsv import load_folder

LAYOUT = "train/ and val/, each with a lines.tsv and its images"
OBTAIN = (
    "Its images and their texts are published at {}. --data can name a folder of pages with ALTO or PAGE XML as it is; for "
    "this dataset, cut out the lines, write their texts into lines.tsv (file, document, text), and set HCR_DATA to the folder "
    "that contains the dataset's folder"
)
CATALOGUE = "an address that HTR-United's catalogue lists (https://htr-united.github.io)"
WRITERS, ONE_HAND, UNKNOWN = ", and so by writer", ", but of one hand", "; whether by writer is not known"


class Published(NamedTuple):
    """A dataset: its folder, source and licence; whether train and test also differ by writer; where it is published."""

    folder: str
    source: str
    licence: str
    writers: str
    where: str


PUBLISHED = {
    "cremma-wills": Published(
        "lines-cremma-wills",
        "HTR-United / CREMMA, Testaments de Poilus: French wills, 1914 to 1918",
        "CC BY 4.0",
        WRITERS,
        "https://github.com/HTR-United/CREMMA-AN-TestamentsDePoilus",
    ),
    "lines-copiste": Published(
        "lines-copiste",
        "BAnQ, Copiste d'un jour (2024): contemporary French, copied by some 260 volunteers",
        "CC BY 4.0",
        WRITERS,
        CATALOGUE,
    ),
    "lines-hooker": Published(
        "lines-hooker",
        "Joseph Hooker HTR (Kew; Schaefer, Litvine 2023): English letters, 1860 to 1911",
        "CC BY-SA 4.0",
        ", a letter each, but mostly of one hand",
        "https://doi.org/10.5281/zenodo.8038689",
    ),
    "lines-peraire": Published(
        "lines-peraire",
        "Peraire Ground Truth 2.0 (Chagué, Pérez 2023): French notes of one hand, 1928 to 1990",
        "CC BY 4.0",
        ONE_HAND,
        "https://github.com/alix-tz/peraire-ground-truth",
    ),
    "lines-stanford": Published(
        "lines-stanford",
        "Memorials for Jane Lathrop Stanford: English letters of many hands, 1905",
        "CC BY 4.0",
        UNKNOWN,
        CATALOGUE,
    ),
    "lines-mss19": Published(
        "lines-mss19",
        "CREMMA, French manuscripts of the 19th century",
        "CC BY 4.0",
        WRITERS,
        "https://github.com/HTR-United/CREMMA-MSS-19",
    ),
    "lines-mss20": Published(
        "lines-mss20",
        "CREMMA, French manuscripts of the 20th century",
        "CC BY 4.0",
        WRITERS,
        "https://github.com/HTR-United/CREMMA-MSS-20",
    ),
    "lines-celestine": Published(
        "lines-celestine",
        "Journal de Célestine Doniau-Danest: a French diary, 1914",
        "CC BY 4.0",
        ONE_HAND,
        "https://github.com/alix-tz/dataset-celestine-doniau-danest",
    ),
    "names-capitals": Published(
        "names-capitals",
        "handwriting recognition set of names: French names in separate capitals, children's hands",
        "published as public domain",
        UNKNOWN,
        "https://www.kaggle.com/datasets/landlord/handwriting-recognition",
    ),
}


def _load(name, val_seed):
    about = PUBLISHED[name]
    notes = (
        f"source: {about.source}",
        f"license: {about.licence}",
        f"train and test are disjoint by document{about.writers}; validation is cut by document",
    )
    return load_folder(found(name), name, val_seed=val_seed, notes=notes, source="HCR_DATA")


for _name, _about in PUBLISHED.items():
    TEXTS.add(
        _name, TextEntry(_load, _about.source, _about.licence, _about.folder, LAYOUT, OBTAIN.format(_about.where))
    )

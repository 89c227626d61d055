"""The published datasets of real handwritten lines: folders in HCR_DATA, each with lines.tsv (see hcrlib.datasets.tsv)."""

from hcrlib.datasets.text import TEXTS, TextEntry, found
from hcrlib.datasets.tsv import load_folder

LAYOUT = "train/ and val/, each with a lines.tsv and its images"
OBTAIN = (
    "Its publishers offer pages with their texts: cut out the lines, write their texts into lines.tsv (file, document, text), "
    "and set HCR_DATA to the folder that contains the folder of the dataset"
)
PUBLISHED = {  # name: folder, source, licence
    "cremma-wills": (
        "lines-cremma-wills",
        "HTR-United / CREMMA, Testaments de Poilus: French wills, 1914 to 1918",
        "CC BY 4.0",
    ),
    "lines-copiste": (
        "lines-copiste",
        "BAnQ, Copiste d'un jour (2024): contemporary French, copied by some 260 volunteers",
        "CC BY 4.0",
    ),
    "lines-hooker": (
        "lines-hooker",
        "Joseph Hooker HTR (Kew; Schaefer, Litvine 2023): English letters, 1860 to 1911",
        "CC BY-SA 4.0",
    ),
    "lines-peraire": (
        "lines-peraire",
        "Peraire Ground Truth 2.0 (Chagué, Pérez 2023): French notes of one hand, 1928 to 1990",
        "CC BY 4.0",
    ),
    "lines-stanford": (
        "lines-stanford",
        "Memorials for Jane Lathrop Stanford: English letters of many hands, 1905",
        "CC BY 4.0",
    ),
    "lines-mss19": ("lines-mss19", "CREMMA, French manuscripts of the 19th century", "CC BY 4.0"),
    "lines-mss20": ("lines-mss20", "CREMMA, French manuscripts of the 20th century", "CC BY 4.0"),
    "lines-celestine": ("lines-celestine", "Journal de Célestine Doniau-Danest: a French diary, 1914", "CC BY 4.0"),
    "names-capitals": (
        "names-capitals",
        "handwriting recognition set of names: French names in separate capitals, children's hands",
        "published as public domain",
    ),
}


def _load(name, val_seed):
    _, source, licence = PUBLISHED[name]
    notes = (
        f"source: {source}",
        f"licence: {licence}",
        "train and test are disjoint by document, and so by writer; validation is cut by document",
    )
    return load_folder(found(name), name, val_seed=val_seed, notes=notes, source="HCR_DATA")


for _name, (_folder, _source, _licence) in PUBLISHED.items():
    TEXTS.add(_name, TextEntry(_load, _source, _licence, _folder, LAYOUT, OBTAIN))

"""Made-up texts of lines: frequent words of seven languages, numbers, dates, amounts, names, and every character often.

They have the words, capitals, punctuation and numbers of real texts, in no sensible order: a recognizer learns characters from
them, not a language. Words: wordfreq. If transcriptions of training lines are given, a third of the texts are pieces of them.
"""

import functools
import re
import string

import numpy as np

from hcrlib.datasets.text import normal

VULGAR = re.compile(
    "fuck|shit|bitch|porn|nigg|sex|dick|cunt|whore|tits|pussy|merde|putain|salope|connard|encul|chier|nègre|pute|puta|fick|hure"
    "|cazzo|kurv|schei|bite|nazi"
)
LANGUAGES = {"fr": 0.42, "en": 0.3, "de": 0.07, "es": 0.06, "it": 0.05, "pt": 0.05, "cs": 0.05}  # shares of the lines
VOCABULARY = 20_000  # the most frequent words of a language
FLATTER = 0.75  # power of the frequency: or a third of the words would be of, the, de, la
ACCENTED = "àâæçéèêëîïôœùûüÿäößáíóúñìòãõčďěňřšťůýž"  # French, German, Spanish, Italian, Portuguese, Czech
CAPITALS = ACCENTED.replace("ß", "").upper()
SYMBOLS = {  # how a character that words lack is written: w, W: a word, a capitalized one; n: a number
    "'": ("l'w", "W's", "d'W", "qu'w"), "’": ("l’w", "W’s", "d’W", "j’w"), "-": ("w-w", "W-W", "n-n"), "–": ("n–n", "w – w"),
    "—": ("— W", "w — w"), ".": ("w.", "W. W.", "w. W"), ",": ("w, w", "n,n"), ";": ("w ; w", "w; w"), ":": ("w : w", "w: w"),
    "!": ("w !", "W!"), "?": ("w ?", "W?"), "…": ("w…", "… w"), "«": ("« w w »", "«w»"), "»": ("« W »", "«w w»"),
    "“": ("“W w”",), "”": ("“w”",), '"': ('"w"', '"W w"'), "(": ("(w)", "(n)"), ")": ("(w w)", "(n-n)"), "[": ("[w]",),
    "]": ("[W w]",), "/": ("n/n", "w/w"), "&": ("W & W", "w & w"), "%": ("n %", "n%"), "@": ("w@w",),
    "#": ("#n",), "*": ("w*",),
    "+": ("+ n", "n + n"), "=": ("= n",), "°": ("N° n", "n°", "n °C"), "§": ("§ n",), "_": ("w_n",), "€": ("n €", "€n"),
    "$": ("$n", "n $"), "£": ("£n", "£ n"), "²": ("n m²",), "½": ("n ½",), "¿": ("¿W w?",), "¡": ("¡W!",),
}  # fmt: skip
ALPHABET = "".join(sorted({*string.ascii_letters, *string.digits, *ACCENTED, *CAPITALS, *SYMBOLS}))
KINDS = {"real": 0.35, "prose": 0.38, "facts": 0.12, "drill": 0.15}  # shares of the lines
LENGTHS = 6, 58  # characters of a line
DRILLED = 4  # characters of the alphabet that a line of drill shows, each in a word of its own
UNLISTED = (
    "æquo",
    "æther",
    "vitæ",
    "cætera",
    "lætitia",
    "cæsar",
    "haÿ",
    "louÿs",
    "ysaÿe",
)  # of letters that no word in the lists has
UNLISTED += "straße", "groß", "weiß", "fußball", "heißt", "schließlich", "maß"
DIGITS = 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5  # of a number
QUOTES = ("« ", " »"), ("«", "»"), ("“", "”"), ('"', '"'), ("(", ")")
VOWELS = set("aeiouhéèêàâîôœy")
MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre janv. févr. juil. déc.",
    "en": "January February March April May June July August September October November December Jan. Feb. Aug. Sept. Dec.",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}
TITLES = "M.", "Mme", "Mlle", "Dr", "Mr.", "Mrs.", "Miss", "Prof.", "Me", "St", "Sir", "Herr", "Frau", "Sr.", "MM."
FACTS = (
    "le D M Y", "D M Y", "M D, Y", "d/m/Y", "d.m.Y", "Y-m-d", "en Y", "(Y-Y)", "h h p", "h:p", "h.p pm", "à h heures", "n,p €",
    "$n.p", "£n.p", "n %", "n,d %", "n p00", "n, rue de W", "n High St, W", "p00p W", "T W", "T W W", "W, W w", "N° n",
    "n° n/p", "p. n", "vol. d, p. n", "Tél. : 0d p p p p", "(p) p-nn", "d W. n: d-p", "W (Y)", "1er M Y",
    "le XIXe w", "d° p' W", "n km",
    "n x n", "W n, v. d", "W & W, Y", "d) w", "- w : n", "n kg", "d h p min", "réf. Wd-n", "1st M", "D M", "ca. Y", "etc.",
    "P.S.", "w, etc. (d)", "s.d.", "A. B. W",
)  # fmt: skip


_NAMES, _CUMULATED = tuple(LANGUAGES), np.cumsum(list(LANGUAGES.values()))[:-1]


def lines(n, rng, real=()):
    """Return n texts of characters of ALPHABET; each character is in several of them if n is above a thousand.

    real: transcriptions to take pieces from. rng: numpy.random.Generator.
    """
    shares = {kind: share for kind, share in KINDS.items() if kind != "real" or len(real)}
    kinds = rng.choice(list(shares), n, p=np.array(list(shares.values())) / sum(shares.values()))
    turns = np.concatenate([rng.permutation(len(ALPHABET)) for _ in range(1 + n * DRILLED // len(ALPHABET))])
    drilled = iter(turns)
    makers = {
        "real": lambda: _piece(real[rng.integers(len(real))], rng),
        "prose": lambda: _prose(_language(rng), rng.integers(*LENGTHS), rng),
        "facts": lambda: _facts(_language(rng), rng),
        "drill": lambda: " ".join(_showing(ALPHABET[next(drilled)], rng) for _ in range(DRILLED)),
    }
    return tuple(normal(_styled(makers[kind](), kind, rng)) for kind in kinds)


def usable(texts):
    """Return those texts that have a letter or digit and no character outside of ALPHABET, normal ones."""
    allowed = {*ALPHABET, " "}
    return [text for text in map(normal, texts) if set(text) <= allowed and any(map(str.isalnum, text))]


@functools.cache
def vocabulary(language):
    """Return (words, cumulated probabilities) of a language, inoffensive ones."""
    from wordfreq import get_frequency_dict, top_n_list

    fit = re.compile(f"[{string.ascii_lowercase}{ACCENTED}][{string.ascii_lowercase}{ACCENTED}'-]*").fullmatch
    words = [word for word in top_n_list(language, VOCABULARY) if fit(word) and not VULGAR.search(word)]
    frequencies = get_frequency_dict(language, "best")
    chances = np.array([frequencies[word] for word in words]) ** FLATTER
    return np.array(words, object), np.cumsum(chances) / chances.sum()


@functools.cache
def _holding(letter, first=False):
    """Return words with this letter, or beginning with it, of the first languages that have thirty of them; [] if none has."""
    found = [word for word in UNLISTED if (word[0] == letter if first else letter in word)]
    for language in LANGUAGES:
        found += [word for word in vocabulary(language)[0] if (word[0] == letter if first else letter in word)]
        if len(found) >= 30:
            break
    return found


def _language(rng):
    return _NAMES[int(np.searchsorted(_CUMULATED, rng.random()))]


def _words(language, n, rng):
    words, cumulated = vocabulary(language)
    return list(words[np.minimum(np.searchsorted(cumulated, rng.random(n)), len(words) - 1)])


def _prose(language, length, rng):
    """Return words of about this many characters, with punctuation and capitals."""
    words, chances = _words(language, length // 3 + 1, rng), rng.random((length // 3 + 1, 3))
    out, size, start = [], 0, rng.random() < 0.45
    for word, (mark, shape, joint) in zip(words, chances, strict=True):
        if shape < 0.04:
            word = _number(rng)
        elif start or shape < 0.14:
            word = word[0].upper() + word[1:]
        elif shape < 0.16:
            word = word.upper()
        if joint < 0.12 and language in ("fr", "it") and word[0] in VOWELS:
            word = ("l'", "d'", "qu'", "n'", "s'", "j'")[rng.integers(6 if language == "fr" else 2)] + word
        elif joint > 0.985:
            word = f"{word}-{words[0]}"
        start = mark < 0.06
        word += "." if start else "," if mark < 0.13 else _rare_mark(mark, language) if mark > 0.965 else ""
        out.append(word)
        if (size := size + len(word) + 1) > length:
            break
    text = " ".join(out)
    if rng.random() < 0.05:
        before, after = QUOTES[rng.integers(len(QUOTES))]
        text = " ".join([*out[:-1], f"{before}{out[-1]}{after}"])
    ending = rng.random()
    if ending < 0.25:
        return text.rstrip(".,;: ") + "."
    return text + "-" if ending < 0.3 and text[-1].isalpha() else text


def _rare_mark(mark, language):
    sign = ("!", "?", ";", ":", "…")[int((mark - 0.965) / 0.035 * 4.999)]
    return f" {sign}" if language == "fr" and sign != "…" else sign


def _piece(text, rng):
    """Return a text, or in every third case some consecutive words of it, the length of a line at most."""
    words = text.split()
    if rng.random() < 0.35 or len(text) > LENGTHS[1]:
        first = rng.integers(len(words))
        words = words[first : first + 1 + rng.integers(9)]
    while len(" ".join(words)) > LENGTHS[1] and len(words) > 1:
        words.pop()
    return " ".join(words)


def _facts(language, rng):
    """Return a date, an amount, a name, an address, ..., alone or within words."""
    month = MONTHS.get(language, MONTHS["fr"]).split()
    fillers = {
        "D": lambda: str(rng.integers(1, 32)), "M": lambda: month[rng.integers(len(month))], 
        "Y": lambda: str(rng.integers(1780, 2030)),
        "m": lambda: f"{rng.integers(1, 13):02}", "d": lambda: str(rng.integers(1, 10)), "h": lambda: str(rng.integers(0, 24)),
        "p": lambda: f"{rng.integers(0, 100):02}", "T": lambda: TITLES[rng.integers(len(TITLES))],
    }  # fmt: skip
    text = _filled(FACTS[rng.integers(len(FACTS))], fillers, language, rng)
    if rng.random() < 0.6:
        before, after = (" ".join(_words(language, rng.integers(0, 5), rng)) for _ in range(2))
        text = f"{before} {text} {after}"
    return text


def _filled(pattern, fillers, language, rng):
    """Return a pattern with its single letters replaced; letters in a longer word stay."""
    fillers = {
        "w": lambda: _words(language, 1, rng)[0],
        "W": lambda: _words(language, 1, rng)[0].capitalize(),
        "n": lambda: _number(rng),
        **fillers,
    }
    out = []
    for at, c in enumerate(pattern):
        around = pattern[max(0, at - 1) : at] + pattern[at + 1 : at + 2]
        alone = not any(other.isalpha() and other not in fillers for other in around)
        out.append(fillers[c]() if c in fillers and alone else c)
    return "".join(out)


def _number(rng):
    digits = DIGITS[int(rng.random() * len(DIGITS))]
    return str(rng.integers(10 ** (digits - 1) if digits > 1 else 0, 10**digits))


def _showing(character, rng):
    """Return a word or two with this character."""
    language = _language(rng)
    if character in SYMBOLS:
        return _filled(SYMBOLS[character][rng.integers(len(SYMBOLS[character]))], {}, language, rng)
    if character.isdigit():
        number = _number(rng)
        at = rng.integers(len(number))
        return number[:at] + character + number[at + 1 :]
    letter = character.lower()
    if character.isupper() and rng.random() < 0.8 and (words := _holding(letter, first=True)):
        return words[rng.integers(len(words))].capitalize()
    word = (words := _holding(letter))[rng.integers(len(words))]
    return word.upper() if character.isupper() else word


def _styled(text, kind, rng):
    """Return the text with typographic apostrophes, or all in capitals, in a part of the cases."""
    if kind != "drill" and rng.random() < 0.06:
        text = text.upper()
    if "'" in text and kind != "drill" and rng.random() < 0.4:
        text = text.replace("'", "’")
    return text

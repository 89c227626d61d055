"""Check the built book: local links lead somewhere, nothing is loaded from other servers, pictures have a text.

python docs/_ext/links.py docs/_build/html
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {"img": "src", "script": "src", "iframe": "src", "source": "src", "link": "href"}  # element -> what it loads
NOT_LOADED = {"canonical", "search", "index", "next", "prev", "author", "copyright"}  # values of a link's rel


class Page(HTMLParser):
    """The ids, links and loaded addresses of an HTML page, and the pictures without a text."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loaded, self.untitled = {"", "top"}, set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Collect what one element names."""
        values = dict(attrs)
        self.ids |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.links.add(values["href"])
        if tag in LOADING and values.get(LOADING[tag]) and values.get("rel") not in NOT_LOADED:
            self.loaded.add(values[LOADING[tag]])
        source = values.get("src") or ""
        if tag == "img" and (not (values.get("alt") or "").strip() or values["alt"].endswith(Path(source).name)):
            self.untitled.add(source)


def problems(folder):
    """Return a list of sentences, one for each problem of a folder with a built book."""
    built = [path for path in Path(folder).rglob("*.html") if "_static" not in path.parts]
    pages = {path.resolve(): Page(path) for path in built}
    found = []
    for path, page in pages.items():
        name = path.relative_to(Path(folder).resolve())
        for address in sorted(page.links | page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                found += [f"{name}: loads {address}"] if address in page.loaded and parts.scheme != "data" else []
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{name}: {address} is not there")
            elif target in pages and unquote(parts.fragment) not in pages[target].ids:
                found.append(f"{name}: {address} names no place of that page")
        found += [f"{name}: the picture {source} has no text" for source in sorted(page.untitled)]
    return found


if __name__ == "__main__":
    sys.exit("\n".join(problems(sys.argv[1])) or 0)

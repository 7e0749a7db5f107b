"""The built site: no warning, nothing from outside, and every link leads somewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from propto.glossary import TERMS, explained
from propto.playground import page

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page loads, where it links to, and which anchors it has."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given.get("id"), given.get("name")}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("next", "prev", "index", "search", "canonical"):
            self.loads.append(given["href"])
        elif given.get("src"):
            self.loads.append(given["src"])
        self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}


def test_no_page_and_no_style_loads_anything_from_outside(site, pages):
    assert len(pages) > 20
    foreign = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)
    for path, content in pages.items():
        assert not [address for address in content.loads if foreign.match(address)], path
    for path in site.rglob("*.css"):
        style = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", style), path


def test_every_link_within_the_site_leads_somewhere(pages):
    for path, content in pages.items():
        for link in [*content.links, *content.loads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path}: {link}"


def test_the_glossary_page_and_the_playground_are_those_of_the_package(site):
    text = re.sub(r"\s+", " ", (site / "docs" / "glossary.html").read_text(encoding="utf-8"))
    text = text.replace("&gt;", ">").replace("&amp;", "&")
    for key in TERMS:
        name, meaning = explained(key)
        assert name in text
        assert meaning in text
    assert (site / "playground.html").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_open_without_a_request_or_a_complaint_and_fit_the_window(site, visible, width, dark):
    names = ["docs/index", "docs/start", "docs/learn", "docs/api", "docs/glossary", "docs/engine"]
    names += ["docs/compare", "benchmarks/RESULTS", "CONTRIBUTING", "docs/json"]
    lessons = [f"lessons/{path.stem}" for path in sorted((site / "lessons").glob("0*.html"))]
    howto = [f"docs/howto/{path.stem}" for path in sorted((site / "docs" / "howto").glob("*.html"))]
    for name in [*names, *lessons, *howto, "docs/generated/propto.HMC"]:
        tab = visible(site / f"{name}.html", width=width, dark=dark)
        assert tab.complaints == [], name
        assert tab.requests == [], name
        assert tab.ask("document.documentElement.scrollWidth") <= width, name
        if width > 1000 and name in lessons:
            code = "[...document.querySelectorAll('.cell_input pre')].filter((e) => e.clientWidth)"
            assert tab.ask(f"{code}.every((e) => e.scrollWidth <= e.clientWidth + 1)"), name
        theme = tab.ask("document.documentElement.dataset.theme")
        assert theme == ("dark" if dark else "light"), name

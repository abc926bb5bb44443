"""A dossier's pages in a real browser: nothing from elsewhere, no complaints, readable on a phone and on paper."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from mlstrata.evidence import write

HERE = Path(__file__).parent


def _of(file: str):
    spec = importlib.util.spec_from_file_location(Path(file).stem, HERE / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


catalog, evidence = _of("test_catalog_pages.py"), _of("../unit/policies/evidence/test_evidence.py")
PAGES = ("index", "summary", "technical-documentation", "registration", "fria", "instructions-for-use", "decisions")
pytestmark = [
    pytest.mark.skipif(catalog.chromium() is None, reason="needs Chromium: run `make install-test`"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("dossier")
    write(evidence.known(), made)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=catalog.chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_by_itself_and_fits_a_phone(browser, folder, name):
    page = browser.new_page(viewport={"width": 360, "height": 740})
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / f"{name}.html").as_uri())
    assert (complaints, asked) == ([], [(folder / f"{name}.html").as_uri()])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("h1").count() == 1
    assert page.locator(".state").is_visible()
    page.close()


def test_contents_and_cover_lead_where_they_say(browser, folder):
    page = browser.new_page()
    page.goto((folder / "technical-documentation.html").as_uri())
    targets = page.eval_on_selector_all("nav a", "links => links.map(one => one.getAttribute('href'))")
    assert len(targets) == 11
    assert all(page.locator(f"section{target} h2").count() == 1 for target in targets)
    assert page.locator("figure svg[role=img] > title").count() == page.locator("figcaption").count() > 4
    page.goto((folder / "index.html").as_uri())
    files = page.eval_on_selector_all("main td a", "links => links.map(one => one.getAttribute('href'))")
    assert len(files) == 24
    assert all((folder / one).is_file() for one in files)
    page.close()

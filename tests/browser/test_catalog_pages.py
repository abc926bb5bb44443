"""The catalog's pages in a real browser: by keyboard, on a phone, in the dark, without scripts."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from mlstrata.services.catalog.access import link_ticket
from tests.support.catalog import OPERATOR, REQUEST, SCRIPT, SYSTEM, TOKEN, Service
from tests.support.patience import PATIENCE
from tests.support.portal import busy

TOOLS = Path(os.environ.get("MLSTRATA_TOOLS") or Path.home() / ".cache/mlstrata/tools")
PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
PATHS = (
    "/", f"/systems/{SYSTEM}", "/datasets", f"/datasets/{SYSTEM}/hmda", "/features", "/models",
    f"/models/{SYSTEM}/1", "/runs", "/lineage", f"/predictions?id={REQUEST}",
)  # fmt: skip


def chromium() -> str | None:
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    unpacked = TOOLS / "bin/chromium-headless-shell"
    return found or (str(unpacked) if unpacked.exists() else None)


pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="needs Chromium: run `make install-test`"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("home"))
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


def enter(context: BrowserContext, service: Service, to: str = "", token: str = TOKEN) -> Page:
    """Open the pages as somebody who followed a login link; whatever the browser complains of fails the test."""
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.complaints = []  # type: ignore[attr-defined]
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.complaints.append(request.url) if service.url not in request.url else None)
    page.goto(f"{service.url}/login?ticket={link_ticket(token, time.time(), 'ada')}&to={to}")
    return page


@pytest.fixture
def page(browser, service) -> Iterator[Page]:
    context = browser.new_context()
    try:
        opened = enter(context, service)
        yield opened
        assert not opened.complaints
    finally:
        context.close()


def contrast(page: Page, selector: str) -> float:
    """The contrast of text and background after WCAG 2.2, 1 to 21."""
    colours = page.eval_on_selector(
        selector, "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    )

    def luminance(colour: str) -> float:
        parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_link_leads_in_and_logging_out_leads_out(browser, service):
    context = browser.new_context()
    page = enter(context, service, f"systems/{SYSTEM}")
    assert page.url == f"{service.url}/systems/{SYSTEM}"
    assert page.evaluate("document.cookie") == "", "no script can read the session"
    page.get_by_role("button", name="Log out").click()
    assert page.url.endswith("/login")
    page.goto(f"{service.url}/systems")
    assert page.url.endswith("/login")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Now in local"
    assert not page.complaints
    context.close()


def test_from_system_to_source_by_clicking_the_drawing(page):
    page.get_by_role("link", name=SYSTEM).first.click()
    assert "lending@example.com" in page.inner_text("dl")
    page.locator("svg a", has_text="version 1").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == f"{SYSTEM} version 1"
    page.locator("svg a", has_text="AER/HMDA").click()
    assert page.get_by_role("heading", level=1).inner_text() == f"hmda of {SYSTEM}"
    assert "ethnic_origin" in page.inner_text("table")


def test_boxes_and_texts_of_the_drawing_do_not_overlap(page, service):
    page.goto(f"{service.url}/lineage")
    boxes = page.eval_on_selector_all("svg rect", "all => all.map(e => e.getBoundingClientRect().toJSON())")
    assert len(boxes) >= 7
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            beside = one["right"] <= other["left"] or other["right"] <= one["left"]
            assert beside or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]
    fits = """all => all.map(a => {
        const box = a.querySelector('rect').getBoundingClientRect();
        return [...a.querySelectorAll('text')].every(t => t.getBoundingClientRect().width <= box.width)})"""
    assert all(page.eval_on_selector_all("svg a", fits))


def test_one_prediction_is_traced(page):
    page.get_by_role("link", name="Predictions").click()
    page.get_by_label("Request id").fill(REQUEST)
    page.keyboard.press("Enter")
    assert "underwriter-desk" in page.inner_text("dl")
    kinds = page.locator("svg text.kind").all_text_contents()
    assert sorted(kinds) == sorted(["source", "snapshot", "run", "version", "prediction", "consumer"])
    page.get_by_label("Request id").fill("nobody's")
    page.get_by_role("button", name="Find").click()
    assert "does not hold" in page.get_by_role("status").inner_text()


def test_everything_is_reached_by_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").bounding_box()["x"] >= 0, "it is seen once it has the focus"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_light_and_dark(browser, service, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = enter(context, service, f"systems/{SYSTEM}")
    for selector in ("dd", "dt", "main a", "h1", "header .name span"):
        assert contrast(page, selector) >= 4.5, (scheme, selector)
    assert not page.complaints
    context.close()


def test_a_phone_shows_every_page_without_sideways_scrolling(browser, service):
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = enter(context, service)
    for path in PATHS:
        page.goto(service.url + path)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360, path
    assert not page.complaints
    context.close()


def test_every_page_works_without_scripts(browser, service):
    context = browser.new_context(java_script_enabled=False)
    page = enter(context, service)
    for path in PATHS:
        page.goto(service.url + path)
        assert page.get_by_role("heading", level=1).count() == 1, path
    page.goto(f"{service.url}/systems/{SYSTEM}")
    page.get_by_text("The same as a list").click()
    assert page.get_by_role("listitem").filter(has_text="consumer: underwriter-desk").is_visible()
    assert not page.complaints
    context.close()


def test_names_that_look_like_scripts_are_only_shown(page):
    page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
    page.get_by_role("link", name="Features").click()
    assert SCRIPT in page.inner_text("table")


ACTING = (
    "/login", *PATHS, "/queues", f"/queues/review/{SYSTEM}", "/systems",
)  # fmt: skip


@pytest.fixture(scope="module")
def lively(tmp_path_factory) -> Iterator[Service]:
    """A home in which a rollout runs, an alert fires and rows wait, with a learning process that takes orders."""

    def more(home: Path) -> None:
        busy(home)
        config = home / "config/learning"
        config.mkdir(parents=True)
        (config / "learning.json").write_text(json.dumps({"port": 1, "token_file": str(config / "token")}))

    made = Service(tmp_path_factory.mktemp("home"), more)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_page(browser, lively, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="run `make install-test`").Axe()
    # axe is a script; the pages' policy lets none run, so it is put aside for looking at them.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = enter(context, lively, token=OPERATOR)
    found = {}
    for path in ACTING:
        page.goto(lively.url + path)
        found[path] = [(one["id"], one["nodes"][0]["html"]) for one in axe.run(page).response["violations"]]
    assert found == {path: [] for path in ACTING}
    context.close()


def test_a_phone_shows_the_pages_about_this_moment_without_sideways_scrolling(browser, lively):
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = enter(context, lively, token=OPERATOR)
    for path in ACTING:
        page.goto(lively.url + path)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360, path
    assert not page.complaints
    context.close()


def test_an_order_is_given_by_keyboard_and_told_what_became_of_it(browser, lively):
    context = browser.new_context()
    page = enter(context, lively, f"systems/{SYSTEM}", token=OPERATOR)
    page.get_by_role("region", name="Stop the system").get_by_label("Why").focus()
    page.keyboard.type("it harms people")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Stop"
    page.keyboard.press("Enter")
    assert "its token cannot be read" in page.get_by_role("alert").inner_text()
    context.close()


def test_a_rollout_is_seen_at_a_glance_and_its_tables_are_reached_by_keyboard(browser, lively):
    context = browser.new_context()
    page = enter(context, lively, f"systems/{SYSTEM}", token=OPERATOR)
    page.get_by_role("link", name="its figures").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#rollout")
    drawn = page.get_by_role("img", name="How much worse version 2 is than version 1")
    marks, line = drawn.locator("circle").count(), drawn.locator("path.limit").first.bounding_box()
    assert (marks, line["height"] > 10) == (4, True)
    headings = []
    for _ in range(3):
        page.keyboard.press("Tab")
        headings.append(page.evaluate("document.activeElement.querySelector('caption')?.textContent"))
    assert [one.split(",")[0] for one in headings] == [
        "Steps",
        "How much worse the candidate is",
        "What both versions did",
    ]
    assert not page.complaints
    context.close()


def test_a_page_follows_only_while_it_is_asked_to(browser, lively):
    context = browser.new_context()
    page = enter(context, lively, token=OPERATOR)
    assert page.locator("meta[http-equiv=refresh]").count() == 0
    page.get_by_role("link", name="Follow").click()
    assert page.locator("meta[http-equiv=refresh]").count() == 1
    page.get_by_role("link", name="Pause").click()
    assert page.locator("meta[http-equiv=refresh]").count() == 0
    assert not page.complaints
    context.close()

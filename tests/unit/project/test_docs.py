"""The documentation builds without the network, and no link in it, in the README or beside the code leads nowhere."""

import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
OUTSIDE_SITE = [
    path
    for path in (
        ROOT / name for name in subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).split()
    )
    if not path.is_relative_to(ROOT / "docs")
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def build(folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", folder / "mkdocs.yml", "-d", site]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


class Loaded(HTMLParser):
    """What a page loads, as against what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        name = {"script": "src", "img": "src", "link": "href", "iframe": "src"}.get(tag)
        self.found += [value for key, value in attrs if key == name and value]


def test_every_page_is_built_and_loads_nothing_from_elsewhere(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert {Path(page.parent, "index.html") if page.stem == "README" else page for page in pages} <= built
    for page in built:
        loaded = Loaded()
        loaded.feed((site / page).read_text(encoding="utf-8"))
        assert [one for one in loaded.found if re.match(r"(https?:)?//", one)] == [], page
    styles = [path for path in site.rglob("*.css") if re.search(r"url\(['\"]?(https?:)?//", path.read_text())]
    assert styles == []


def test_every_decision_is_listed_by_its_number_and_title():
    folder = ROOT / "docs/decisions"
    listed = set(re.findall(r"^\| (\d+) \| \[([^\]]+)\]\((\S+)\)", (folder / "README.md").read_text(), re.MULTILINE))
    pages = {
        (str(int(path.name[:4])), path.read_text().partition("\n")[0].partition(". ")[2], path.name)
        for path in folder.glob("0*.md")
    }
    assert listed == pages


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a](nowhere.md)", "nowhere.md"),
        ("[a](glossary.md#nothing)", "nothing"),
        ("[a](../nowhere.py)", "nowhere.py"),
    ],
)
def test_a_link_that_leads_nowhere_stops_the_build(tmp_path, text, said):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/docs_links.py", tmp_path / "tools")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    del config["not_in_nav"]
    config["nav"], config["validation"]["nav"] = [{"Start": "index.md"}], {"omitted_files": "ignore"}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    for page in (tmp_path / "docs").rglob("*.md"):
        page.write_text("# A page\n")
    assert build(tmp_path, tmp_path / "site").returncode == 0
    (tmp_path / "docs/index.md").write_text(f"# Start\n\n{text}\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert said in done.stderr


def anchors(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", OUTSIDE_SITE, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_outside_the_site_lead_somewhere(page):
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        own = re.match(
            rf"{re.escape(REPOSITORY)}/(?:blob|tree)/main/|https://raw\.githubusercontent\.com/mlstrata/mlstrata/main/",
            link,
        )
        if not own and re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = (link[own.end() :] if own else link).partition("#")
        target = (ROOT if own else page.parent) / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_what_pypi_shows_has_absolute_links_only():
    assert PROJECT["readme"] == "README.md"
    links = LINK.findall(FENCE.sub("", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert [link for link in links if not link.startswith("https://")] == []
    assert yaml.safe_load((ROOT / "mkdocs.yml").read_text())["repo_url"] == REPOSITORY


def test_the_wheels_of_a_checkout_are_all_named():
    page = (ROOT / "docs/your-repository.md").read_text(encoding="utf-8")
    (built,) = re.findall(r"^python3 -m pip wheel .*$", page, re.MULTILINE)
    there = {path.parent.relative_to(ROOT) for path in ROOT.glob("*/*/pyproject.toml") if path.parts[-3][0] != "."}
    assert {f"mlstrata/{folder}/" for folder in there} | {"mlstrata/"} == {
        one for one in built.split() if one[-1] == "/"
    }

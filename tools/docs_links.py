"""A hook of mkdocs: a page's link to a file outside of docs/ leads to that file in the repository.

So one link works in both places: relative in the repository, absolute on the site. A file that does not exist is a
warning, which `mkdocs build --strict` makes an error.
"""

import logging
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

LOG = logging.getLogger("mkdocs.hooks.docs_links")
LINK = re.compile(r"(?<=\]\()(?P<path>\.\./[^)#\s]*)(?P<anchor>#[^)\s]*)?(?=\))")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Replace the links of one page that leave the folder of the documentation."""
    docs = Path(config["docs_dir"])
    root = docs.parent

    def absolute(link: re.Match[str]) -> str:
        target = (docs / PurePosixPath(page.file.src_uri).parent / link["path"]).resolve()
        if target.is_relative_to(docs):
            return link[0]
        if not target.exists() or not target.is_relative_to(root):
            LOG.warning("%s: %s: no such file in the repository", page.file.src_uri, link[0])
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"{config['repo_url']}/{kind}/main/{target.relative_to(root).as_posix()}{link['anchor'] or ''}"

    return LINK.sub(absolute, markdown)

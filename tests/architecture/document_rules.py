# SPDX-License-Identifier: Apache-2.0
"""What the Markdown files promise their readers: short pages, links that lead somewhere."""

import pathlib
import posixpath
import re
import urllib.parse

MAX_README_LINES = 150
MAX_DOCUMENT_LINES = 200
ENDLESS_DOCUMENTS = {".github/CHANGELOG.md"}
MAX_FRONT_PAGE_LINES = 80
MAX_FRONT_PAGE_COLUMNS = 120

CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"""\]\(\s*<?([^)\s>]+)|^\[[^\]\n]+\]:\s*<?(\S+?)>?\s*$"""
                  r"""|<[^>]*\b(?:src|href)="([^"]+)\"""", re.MULTILINE)
HEADING = re.compile(r"^#+[ \t]+(.*?)[ \t]*#*$", re.MULTILINE)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def _documents(tree):
    return [p for p in tree.paths if p.suffix == ".md"]


def documents_stay_short(tree):
    for path in _documents(tree):
        lines = tree.text(path).count("\n")
        most = MAX_README_LINES if path.name == "README.md" else MAX_DOCUMENT_LINES
        if lines > most and str(path) not in ENDLESS_DOCUMENTS:
            yield f"{path}: {lines} lines, at most {most}; split it by reader"


def front_page_is_one_page(tree):
    path = pathlib.PurePosixPath("README.md")
    if path not in tree.path_set:
        return
    lines = tree.text(path).splitlines()
    if len(lines) > MAX_FRONT_PAGE_LINES:
        yield f"{path}: {len(lines)} lines, at most {MAX_FRONT_PAGE_LINES}; link to the details"
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_FRONT_PAGE_COLUMNS:
            yield f"{path}:{number}: {len(line)} columns, at most {MAX_FRONT_PAGE_COLUMNS}"


def _anchors(text):
    """The anchors of a document's headings, as GitHub names them."""
    anchors = set()
    for heading in HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        copies = sum(a == anchor or re.fullmatch(re.escape(anchor) + r"-\d+", a) is not None
                     for a in anchors)
        anchors.add(f"{anchor}-{copies}" if copies else anchor)
    return anchors


def links_lead_somewhere(tree):
    folders = {str(folder) for path in tree.paths for folder in path.parents}
    for path in _documents(tree):
        # Code shows links, it has none. Its lines stay, so that those behind it keep their numbers.
        text = CODE.sub(lambda code: "\n" * code.group().count("\n"), tree.text(path))
        for match in LINK.finditer(text):
            link = next(filter(None, match.groups()))
            if SCHEME.match(link):
                continue
            place = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
            name, _, anchor = urllib.parse.unquote(link).partition("#")
            target = pathlib.PurePosixPath(
                posixpath.normpath(posixpath.join(path.parent, name)) if name else path)
            if target not in tree.path_set and str(target) not in folders:
                yield f"{place}: links to {link}, which does not exist"
            elif anchor and target.suffix == ".md" and anchor not in _anchors(tree.text(target)):
                yield f"{place}: links to {link}, but {target} has no such heading"


def recipes_are_documented(tree):
    readmes = "".join(tree.text(p) for p in tree.paths
                      if str(p) in ("trainer/README.md", "trainer/recipes/README.md"))
    for path in tree.paths:
        if path.suffix == ".textproto" and str(path.parent) == "trainer/recipes":
            if path.stem not in readmes:
                yield f"{path}: say in trainer/recipes/README.md what it reaches"


RULES = (
    documents_stay_short,
    front_page_is_one_page,
    links_lead_somewhere,
    recipes_are_documented,
)

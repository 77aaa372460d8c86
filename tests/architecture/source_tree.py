# SPDX-License-Identifier: Apache-2.0
"""The files of the tree: what they include, and which CMakeLists.txt stand above them."""

import pathlib
import re
import subprocess

SOURCE_TOPS = {"proto", "model", "trainer", "server", "client", "tests"}

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
CMAKE_INCLUDE = re.compile(r"^\s*include\(\s*([\w/.-]+\.cmake)\s*\)", re.MULTILINE)
CMAKE_COMMENT = re.compile(r"#.*")


def is_generated(included):
    return included.endswith(".pb.h")


def folder_of_include(included):
    """The folder that a header of ours stands in, or None for a header of a library.

    Generated code is included as "lipserve/v1/x.pb.h" and belongs to proto/.
    """
    path = pathlib.PurePosixPath("proto", included) if is_generated(included) else (
        pathlib.PurePosixPath(included))
    return str(path.parent) if path.parts[0] in SOURCE_TOPS else None


def top_of(folder):
    return folder.split("/")[0]


def is_in(folder, room):
    """Whether `folder` is `room` or stands in it."""
    return folder == room or folder.startswith(room + "/")


class Tree:
    """The files of a working tree that are, or would be, committed."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = sorted(self._list())
        self.path_set = set(self.paths)
        self._texts = {}

    def _list(self):
        if (self.root / ".git").exists():
            listing = subprocess.run(
                ["git", "-c", "safe.directory=*", "-C", self.root, "ls-files", "-z", "--cached",
                 "--others", "--exclude-standard"],
                check=True, capture_output=True).stdout.decode()
            return {p for p in map(pathlib.PurePosixPath, listing.split("\0")[:-1])
                    if (self.root / p).is_file()}
        files = (p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file())
        return {pathlib.PurePosixPath(p) for p in files if p.parts[0] not in ("build", "models")}

    def text(self, path):
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def sources(self):
        return [p for p in self.paths if p.suffix in (".h", ".cc") and p.parts[0] in SOURCE_TOPS]

    def includes(self, path):
        """Yields (line number, included path)."""
        for number, line in enumerate(self.text(path).splitlines(), start=1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1)

    def all_includes(self):
        """Yields (path, line number, included path) of every source."""
        for path in self.sources():
            for number, included in self.includes(path):
                yield path, number, included

    def is_named_in_a_build_file(self, path):
        """Whether a CMakeLists.txt above `path`, or what it includes, names it outside comments."""
        for folder in path.parents:
            build_file = folder / "CMakeLists.txt"
            if build_file not in self.path_set:
                continue
            text = self.text(build_file)
            for name in CMAKE_INCLUDE.findall(text):
                text += "\n" + self.text(folder / name)
            name = re.escape(str(path.relative_to(folder)))
            if re.search(rf"(^|[\s(]){name}[\s)]", CMAKE_COMMENT.sub("", text)):
                return True
        return False

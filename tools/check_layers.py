#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom in src/ and apps/.

Rules, in the order they are reported:
  layer     a folder of src/ includes only the folders that its row of ALLOWED names
  detail    a header under detail/ is included only from the folder that holds detail/
  secret    ckks/secret_key.h is included only by ckks itself and by the client's commands, and no
            file of the server reaches it, directly or through other headers
  library   command line, YAML, JSON, tables and images stay in apps/; other outside libraries stay
            in the folders that LIBRARIES names
  missing   an include of ours names a file that exists

Usage: tools/check_layers.py [ROOT]       exit code 1 when a rule is broken
       tools/check_layers.py --closure F  prints every file of ours that F reaches
"""

import argparse
import fnmatch
import pathlib
import re
import sys

EVERYTHING = {"base", "graph", "ring", "toolpath", "onnx", "passes", "runtime", "ckks", "quantize",
              "encrypted", "serve"}

# The include table of docs/design.md; a folder may always include itself.
ALLOWED = {
    "base": set(),
    "graph": {"base"},
    "ring": {"base"},
    "toolpath": {"base"},
    "onnx": {"base", "graph"},
    "passes": {"base", "graph"},
    "runtime": {"base", "graph"},
    "ckks": {"base", "ring"},
    "quantize": {"base", "graph", "passes", "runtime"},
    "encrypted": {"base", "graph", "passes", "runtime", "ring", "ckks"},
    "train": {"base", "graph", "toolpath"},
    "serve": EVERYTHING,
    "apps": EVERYTHING,
}

SECRET = "ckks/secret_key.h"
# The only files outside src/ckks that may name the secret key.
CLIENT = ["apps/cli/keygen.cpp", "apps/cli/encrypt.cpp", "apps/cli/decrypt.cpp",
          "apps/cli/debug.cpp", "apps/cli/debug_layers.h", "apps/cli/debug_layers.cpp"]
# What runs beside the evaluation keys; none of these may reach the secret key by any path.
SERVER = ["src/encrypted/execute*", "src/encrypted/evaluate*", "src/encrypted/diagonal_cache*",
          "src/encrypted/key_window*", "src/encrypted/memory*",
          "src/encrypted/bootstrappers*",
          "src/serve/*", "apps/cli/infer*", "apps/cli/files.*", "apps/cli/key_files.*",
          "apps/cli/expand_keys.cpp", "apps/cli/worker.cpp", "apps/cli/report*"]

# Outside headers by prefix, and the folders that may include them.
LIBRARIES = {
    "CLI/": {"apps"},
    "yaml-cpp/": {"apps"},
    "nlohmann/": {"apps"},
    "fmt/": {"apps"},
    "spdlog/": {"apps"},
    "png.h": {"apps"},
    "zlib.h": {"apps"},
    "protozero/": {"onnx"},
    "cblas": {"runtime"},
    "openblas": {"runtime"},
    "openssl/": {"base", "ring"},
    "mpi.h": {"serve"},
    "xxh": {"serve"},
    "torch/": {"train"},
    "omp.h": set(),
}

# Headers that one folder must do without although its row would allow them.
FORBIDDEN = {"encrypted": ["base/file.h", "fstream", "filesystem", "sys/socket.h", "unistd.h"]}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SOURCES = {".h", ".hpp", ".cpp", ".cc", ".inc"}


class Tree:
    """The sources under ROOT/src and ROOT/apps and what each includes."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        if self.root.name == "src":
            self.root = self.root.parent
        self.files = {}  # path relative to root -> [(line, include, is_ours)]
        for top in ("src", "apps"):
            for path in sorted((self.root / top).rglob("*")):
                if path.suffix in SOURCES and path.is_file():
                    name = path.relative_to(self.root).as_posix()
                    self.files[name] = self._includes(path)

    @staticmethod
    def _includes(path):
        text = path.read_text(encoding="utf-8", errors="replace")
        blank = lambda match: "\n" * match.group(0).count("\n")  # keeps line numbers
        text = COMMENT.sub(blank, text)
        found = []
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append((line, match.group(1) or match.group(2), match.group(1) is not None))
        return found

    def resolve(self, include, includer):
        """The file an include means, or None when it is not ours."""
        beside = (pathlib.PurePosixPath(includer).parent / include).as_posix()
        for name in ("src/" + include, "apps/" + include, beside):
            if name in self.files:
                return name
        return None

    def closure(self, name):
        """Every file of ours that `name` reaches, as reached file -> file that includes it."""
        reached, queue = {}, [name]
        while queue:
            at = queue.pop()
            for _, include, _ in self.files[at]:
                target = self.resolve(include, at)
                if target is not None and target != name and target not in reached:
                    reached[target] = at
                    queue.append(target)
        return reached


def folder_of(name):
    """src/graph/ops/op.h -> graph, apps/cli/run.cpp -> apps"""
    parts = name.split("/")
    return parts[1] if parts[0] == "src" else "apps"


def matches(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def path_to(closure, target):
    steps = [target]
    while steps[-1] in closure:
        steps.append(closure[steps[-1]])
    return " <- ".join(steps)


def check_include(tree, name, line, include, is_ours):
    folder = folder_of(name)
    at = f"{name}:{line}"
    if include in FORBIDDEN.get(folder, []):
        yield f"{at}: library: {folder} must not know about files, sockets and processes: {include}"
    target = tree.resolve(include, name)
    if target is None:
        if is_ours:
            yield f"{at}: missing: \"{include}\" is no file of src/ or apps/"
        for prefix, folders in LIBRARIES.items():
            if include.startswith(prefix) and folder not in folders:
                where = ", ".join(sorted(folders)) or "nobody"
                yield f"{at}: library: {folder} includes <{include}>, which is for {where}"
        return
    other = folder_of(target)
    if other != folder and other not in ALLOWED.get(folder, EVERYTHING):
        allowed = ", ".join(sorted(ALLOWED.get(folder, []))) or "nothing"
        yield f"{at}: layer: {folder} includes {target}; it may include {allowed}"
    if "/detail/" in target:
        owner = target.split("/detail/")[0] + "/"
        if not name.startswith(owner):
            yield f"{at}: detail: {target} is for files under {owner} only"
    if target == "src/" + SECRET and folder != "ckks" and name not in CLIENT:
        yield f"{at}: secret: only ckks and {', '.join(CLIENT)} may include {SECRET}"


def violations(root):
    tree = Tree(root)
    for name, includes in tree.files.items():
        for line, include, is_ours in includes:
            yield from check_include(tree, name, line, include, is_ours)
        if folder_of(name) not in ALLOWED:
            yield f"{name}: layer: folder {folder_of(name)} has no row in the table"
        if matches(name, SERVER):
            closure = tree.closure(name)
            if "src/" + SECRET in closure:
                yield f"{name}: secret: server code reaches {path_to(closure, 'src/' + SECRET)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--closure", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.closure:
        print("\n".join(sorted(Tree(arguments.root).closure(arguments.closure))))
        return 0
    found = list(violations(arguments.root))
    for text in found:
        print(text)
    count = len(Tree(arguments.root).files)
    print(f"check_layers: {count} files, {len(found)} violations")
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

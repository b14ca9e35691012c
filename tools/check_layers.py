#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every #include against the floors of docs/design.md.

usage: check_layers.py [ROOT]     ROOT holds src/ and apps/ (default: the repository)

Refuses: a floor that includes what it must not know, a detail/ header from outside its folder, the
secret key's header where the server's code runs, and libraries that belong to the command line
anywhere else. Prints `file:line: reason` and exits 1 when something is wrong.
"""
import pathlib
import re
import sys

MAY_INCLUDE = {
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
    "serve": {"base", "graph", "ring", "toolpath", "onnx", "passes", "runtime", "ckks", "quantize",
              "encrypted"},
}
SECRET = "ckks/secret_key.h"
# The client's commands; everything else must do without the secret key.
MAY_SEE_SECRET = re.compile(r"src/ckks/|apps/cli/(keygen|encrypt|decrypt)\.cpp$")
ONLY_APPS = re.compile(r"^(CLI/|nlohmann/|yaml-cpp/|fmt/|spdlog/|png\.h)")
ENCRYPTED_FORBIDDEN = re.compile(r"^(fstream|filesystem|sys/socket\.h|base/file\.h)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def problems_of(path, relative):
    """Yields (line number, reason) for one source file."""
    parts = relative.split("/")
    floor = parts[1] if parts[0] == "src" else None
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1)
        target = header.split("/")[0]
        if floor and target in MAY_INCLUDE and target != floor and "/" in header:
            if target not in MAY_INCLUDE.get(floor, set()):
                yield number, f"{floor} must not include {header}"
        if "/detail/" in header:
            folder = header.split("/detail/")[0]
            if not relative.startswith(f"src/{folder}/"):
                yield number, f"{header} belongs to {folder}/ alone"
        if header == SECRET and not MAY_SEE_SECRET.search(relative):
            yield number, "code without the secret key must not include ckks/secret_key.h"
        if floor and ONLY_APPS.match(header):
            yield number, f"{header} belongs to apps/"
        if floor == "encrypted" and ENCRYPTED_FORBIDDEN.match(header):
            yield number, f"encrypted must not know about files or sockets: {header}"
    if floor and floor not in MAY_INCLUDE:
        yield 1, f"folder src/{floor} is not in the table of floors"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    if root.name == "src":
        root = root.parent
    count, wrong = 0, 0
    for top in ("src", "apps"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".inc"):
                continue
            count += 1
            relative = path.relative_to(root).as_posix()
            for number, reason in problems_of(path, relative):
                print(f"{relative}:{number}: {reason}")
                wrong += 1
    print(f"check_layers: {count} files, {wrong} problems")
    return 1 if wrong or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""check_layers.py finds each kind of wrong include, and nothing in a right tree."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECKER = pathlib.Path(__file__).parent.parent.parent / "tools" / "check_layers.py"


def run_on(files):
    """Exit code and output of the checker on a tree of {path: text}."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, CHECKER, folder], capture_output=True, text=True)
        return done.returncode, done.stdout


class CheckLayers(unittest.TestCase):
    def refused(self, path, include, reason):
        code, out = run_on({path: f"#include {include}\n"})
        self.assertEqual(code, 1, out)
        self.assertIn(f"{path}:1: ", out)
        self.assertIn(reason, out)

    def test_accepts_includes_of_lower_floors(self):
        code, out = run_on({"src/graph/a.cpp": '#include "base/error.h"\n#include <vector>\n',
                            "apps/cli/keygen.cpp": '#include "ckks/secret_key.h"\n'})
        self.assertEqual(code, 0, out)

    def test_refuses_a_higher_floor(self):
        self.refused("src/graph/a.cpp", '"onnx/import.h"', "graph must not include")

    def test_refuses_the_secret_key_on_the_server(self):
        for path in ("src/encrypted/execute.cpp", "src/serve/worker.cpp", "apps/cli/infer.cpp"):
            self.refused(path, '"ckks/secret_key.h"', "secret key")

    def test_refuses_private_headers_of_other_folders(self):
        self.refused("src/encrypted/a.cpp", '"ckks/detail/frame.h"', "belongs to ckks/ alone")

    def test_refuses_command_line_libraries_in_the_library(self):
        self.refused("src/base/a.cpp", "<CLI/CLI.hpp>", "belongs to apps/")

    def test_refuses_files_in_the_encrypted_floor(self):
        self.refused("src/encrypted/a.cpp", '"base/file.h"', "must not know about files")

    def test_refuses_an_unknown_floor_and_an_empty_tree(self):
        self.refused("src/other/a.cpp", "<vector>", "not in the table")
        self.assertEqual(run_on({})[0], 1)


if __name__ == "__main__":
    unittest.main()

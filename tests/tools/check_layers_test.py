#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_layers.py on small trees: each rule fires where it must and nowhere else."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_layers


class CheckLayers(unittest.TestCase):
    def found(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return list(check_layers.violations(root))

    def assert_rule(self, rule, files):
        found = self.found(files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(f": {rule}: ", found[0])

    def test_every_row_allows_what_it_names_and_itself(self):
        for folder, allowed in check_layers.ALLOWED.items():
            top = "apps/cli" if folder == "apps" else "src/" + folder
            files = {f"{top}/own.h": ""}
            files.update({f"src/{other}/x.h": "" for other in allowed})
            own = "cli" if folder == "apps" else folder
            lines = [f'#include "{other}/x.h"' for other in sorted(allowed)]
            files[f"{top}/user.cpp"] = "\n".join(lines + [f'#include "{own}/own.h"'])
            self.assertEqual(self.found(files), [], folder)

    def test_every_row_refuses_what_it_does_not_name(self):
        folders = set(check_layers.ALLOWED) - {"apps"}
        for folder in folders:
            for other in folders - check_layers.ALLOWED[folder] - {folder}:
                self.assert_rule("layer", {f"src/{other}/x.h": "",
                                           f"src/{folder}/user.cpp": f'#include "{other}/x.h"'})

    def test_nobody_includes_apps(self):
        self.assert_rule("layer", {"apps/cli/x.h": "", "src/encrypted/a.cpp": '#include "cli/x.h"'})

    def test_detail_headers_stay_in_their_folder(self):
        header = {"src/passes/detail/x.h": ""}
        inside = {"src/passes/sub/a.cpp": '#include "passes/detail/x.h"'}
        self.assertEqual(self.found({**header, **inside}), [])
        self.assert_rule("detail", {**header,
                                    "src/encrypted/a.cpp": '#include "passes/detail/x.h"'})

    def test_secret_key_is_for_ckks_and_the_client(self):
        header = {"src/ckks/secret_key.h": ""}
        line = '#include "ckks/secret_key.h"'
        for name in check_layers.CLIENT + ["src/ckks/secret_key.cpp"]:
            self.assertEqual(self.found({**header, name: line}), [], name)
        self.assert_rule("secret", {**header, "apps/cli/compile.cpp": line})
        self.assert_rule("secret", {**header, "src/encrypted/client.cpp": line})

    def test_server_reaches_no_secret_key_through_other_headers(self):
        files = {"src/ckks/secret_key.h": "", "src/ckks/all.h": '#include "ckks/secret_key.h"',
                 "src/encrypted/plan.h": '#include "ckks/all.h"'}
        for name in ("src/encrypted/execute.cpp", "src/encrypted/execute_cache.h",
                     "apps/cli/infer.cpp", "src/serve/worker.cpp"):
            self.assert_rule("secret", {**files, name: '#include "encrypted/plan.h"'})

    def test_outside_libraries_stay_in_their_folders(self):
        self.assert_rule("library", {"src/onnx/a.cpp": "#include <nlohmann/json.hpp>"})
        self.assert_rule("library", {"src/graph/a.cpp": "#include <fmt/format.h>"})
        self.assert_rule("library", {"apps/cli/a.cpp": "#include <protozero/pbf_reader.hpp>"})
        self.assertEqual(self.found({"src/onnx/a.cpp": "#include <protozero/pbf_reader.hpp>",
                                     "apps/cli/a.cpp": "#include <fmt/format.h>\n#include <map>"}),
                         [])

    def test_encrypted_knows_no_files_and_sockets(self):
        files = {"src/base/file.h": ""}
        for line in ('#include "base/file.h"', "#include <fstream>", "#include <sys/socket.h>"):
            self.assert_rule("library", {**files, "src/encrypted/a.cpp": line})
        self.assertEqual(self.found({**files, "src/ckks/a.cpp": '#include "base/file.h"'}), [])

    def test_an_unknown_folder_is_refused(self):
        self.assert_rule("layer", {"src/other/a.cpp": "#include <vector>"})

    def test_missing_headers_are_named_with_file_and_line(self):
        found = self.found({"src/graph/a.cpp": '// x\n#include "graph/none.h"'})
        self.assertEqual(found, ['src/graph/a.cpp:2: missing: "graph/none.h" is no file of src/ '
                                 "or apps/"])

    def test_includes_in_comments_do_not_count_and_spaces_do_not_hide(self):
        header = {"src/passes/x.h": ""}
        self.assertEqual(self.found({**header, "src/graph/a.cpp":
                                     '/* \n#include "passes/x.h"\n*/\n// #include "passes/x.h"'}), [])
        self.assert_rule("layer", {**header, "src/graph/a.cpp": '  #  include "passes/x.h"'})

    def test_the_repository_itself_is_clean(self):
        root = pathlib.Path(check_layers.__file__).resolve().parent.parent
        self.assertEqual(list(check_layers.violations(root)), [])


if __name__ == "__main__":
    unittest.main()

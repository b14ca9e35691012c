#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pages and documents of plans and runs: well-formed, self-contained, small, with the numbers that
# the commands print, whatever the layers are called.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net

# page FILE TEXT...: parses as XML, refers to nothing outside, holds every TEXT.
page() {
  "$python" - "$@" <<'PYTHON'
import re, sys
import html.parser, xml.etree.ElementTree as tree
text = open(sys.argv[1], encoding="utf-8").read()
assert text.startswith("<!doctype html>\n"), text[:40]
root = tree.fromstring(text.split("\n", 1)[1])
html.parser.HTMLParser().feed(text)
assert len(text) < 1_000_000, len(text)
assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|\bsrc=|\bhref=|\bon[a-z]+=", text), "not self-contained"
for drawing in root.iter("svg"):
    assert drawing.get("role") == "img", "a drawing that is none"
    assert drawing.find("title").text and drawing.find("desc").text, "a drawing without words"
shown = "".join(root.itertext())
for wanted in sys.argv[2:]:
    assert wanted in shown, f"expected {wanted!r} in {sys.argv[1]}"
PYTHON
}

"$sinter" compile good.onnx --data data.npy --config scheme.yaml -o net2.sinter --html plan.html --json >plan.json
cmp net.sinter net2.sinter || fail "the report changed the program"
page plan.html "Levels" "Time by layer" "Bytes by layer" "Precision by layer" "NO SECURITY CLAIMED"
"$sinter" infer net.sinter --keys server.keys input.ct -o again.ct --report run.json --html run.html >/dev/null
cmp output.ct again.ct || fail "the report changed the result"
page run.html "Memory over time" "Measured in the last run" "input.ct"
"$python" - <<'PYTHON'
import json
plan, run = (json.load(open(f)) for f in ("plan.json", "run.json"))
assert plan["program_hash"] == run["program_hash"] and len(plan["program_hash"]) == 16, plan
assert plan["depth"] == run["depth"] and plan["predicted_seconds"] > 0
for join in run["joins"]:
    assert join["arms"][0]["level"] == join["arms"][1]["level"], join
main = [e for e in run["edges"] if e["main"]]
assert main and all(e["level_to"] <= e["level_from"] for e in main), run["edges"]
steps = run["runs"][0]["instructions"]
assert all(s["seconds"] >= 0 and s["anonymous_bytes"] > 0 for s in steps), steps
layers = run["layers"]
assert abs(sum(s["seconds"] for s in steps) - sum(l["measured_seconds"] for l in layers)) < 1e-9
assert all(l["predicted_bits"] > 5 for l in layers), layers
assert sum(l["key_bytes"] for l in layers) > 0
PYTHON
# The page from the document is the page of the run; a second document adds what is missing.
"$sinter" report run.json -o later.html
cmp run.html later.html || fail "report makes another page"
"$sinter" report run.json plan.json -o both.html
page both.html "Memory over time"
# Names are text, whatever is in them.
"$python" - <<'PYTHON'
import json
run = json.load(open("run.json"))
run["layers"][0]["name"] = "</title><script>alert(1)</script>&\"'\u0001\ufffe"
run["network"] = "<b>&amp;"
run["notes"] = ["<img src=x>", "x" * 10000]
json.dump(run, open("hostile.json", "w"))
PYTHON
"$sinter" report hostile.json -o hostile.html
"$python" - <<'PYTHON'
import xml.etree.ElementTree as tree
text = open("hostile.html", encoding="utf-8").read()
root = tree.fromstring(text.split("\n", 1)[1])
assert not list(root.iter("script")) and not list(root.iter("img"))
assert "<script" not in text and "<img" not in text
PYTHON
# The optimizer's page is made of the same parts.
"$sinter" optimize good.onnx -o fused.onnx --verify 4 --html optimize.html >/dev/null
page optimize.html "Nodes by operator" "What each pass did" "Accepted on 4 random inputs"
# Documents that are none, or of two programs.
refused 11 "image.npy: expected the JSON" "$sinter" report image.npy -o x.html
for edit in 'r["layers"] = []' 'r["layers"] = 3' 'r["layers"][0]["name"] = 5' 'r["edges"][0]["to"] = 99999' \
  'r["edges"][0]["level_to"] = 1e9' 'r["joins"] = [{"arms": [1]}]' 'r["layers"][0]["level_in"] = "a"' \
  'r["predicted_seconds"] = 1e300' 'r["runs"] = [[]]'; do
  "$python" -c "
import json
r = json.load(open('run.json'))
$edit
json.dump(r, open('bad.json', 'w'))"
  refused 11 "report: " "$sinter" report bad.json -o x.html
done
"$python" -c "print('{\"layers\":' + '[' * 100000 + ']' * 100000 + '}')" >bad.json
refused 11 "" "$sinter" report bad.json -o x.html
sed 's/"program_hash": "./"program_hash": "z/' plan.json >other.json
refused 10 "expected reports of one program" "$sinter" report run.json other.json -o x.html
# Reports are no place for what is read or written otherwise.
for path in net.sinter server.keys input.ct output2.ct client.key; do
  refused 10 "" "$sinter" infer net.sinter --keys server.keys input.ct -o output2.ct --report "$path"
  refused 10 "" "$sinter" infer net.sinter --keys server.keys input.ct -o output2.ct --html "$path"
done
refused 10 "same file" "$sinter" infer net.sinter --keys server.keys input.ct -o o2.ct --html r --report r
for path in good.onnx data.npy scheme.yaml client.key; do
  refused 10 "" "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o x.sinter --html "$path"
done
refused 10 "same file" "$sinter" report run.json -o run.json

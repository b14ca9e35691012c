#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# compile --plan: the candidate that is marked is the one that is compiled, in text, JSON and page.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
compile() { "$sinter" compile good.onnx --data data.npy --config scheme.yaml "$@"; }
compile --plan >plan.txt 2>/dev/null
[ "$(grep -c '^\*' plan.txt)" = 1 ] || fail "not one candidate is marked: $(cat plan.txt)"
compile --plan --json --html plan.html -o planned.sinter >plan.json 2>/dev/null
cmp net.sinter planned.sinter || fail "listing the plans changed the program"
"$python" - <<'PYTHON'
import json
plan = json.load(open("plan.json"))
(chosen,) = [c for c in plan["candidates"] if c["chosen"]]
assert chosen["usable"] and chosen["packing"] == "packed", chosen
assert chosen["bootstraps"] == plan["bootstraps"] and chosen["levels"] == plan["depth"], (chosen, plan)
assert abs(chosen["log2_qp"] - plan["log2_qp"]) < 1, (chosen, plan)
page = open("plan.html").read()
assert "Plans that were compared" in page and ">chosen<" in page
PYTHON

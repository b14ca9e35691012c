#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Slurm array script, with Slurm's variables set by hand: every input once, whatever the slices.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
export SINTER=$sinter
array_task() { # array_task ID COUNT ARGUMENTS...
  SLURM_ARRAY_TASK_ID=$1 SLURM_ARRAY_TASK_COUNT=$2 bash "$root/tools/slurm/infer_array.sh" \
    --program net.sinter --keys server.keys --out "${@:3}"
}
inputs=()
for i in 1 2 3 4 5; do
  cp input.ct c$i.ct
  inputs+=(c$i.ct)
done
for count in 2 7; do
  for ((id = 0; id < count; ++id)); do array_task $id $count out$count "${inputs[@]}" -- --threads 1 >/dev/null; done
  [ "$(ls out$count | wc -l)" = 5 ] || fail "$count tasks made $(ls out$count)"
  for i in 1 2 3 4 5; do cmp output.ct out$count/c$i.out.ct || fail "another result for c$i"; done
done
# What is there is not computed again; arrays may start anywhere and have steps.
SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_STEP=5 array_task 15 2 out2 "${inputs[@]}" | grep -q "nothing to do" ||
  fail "results were computed again"
if array_task 0 2 out2 >/dev/null 2>err.txt; then fail "no inputs are no error"; fi
grep -q "expected ciphertexts" err.txt || fail "no message: $(cat err.txt)"
if bash "$root/tools/slurm/infer_array.sh" --program a --keys b --out c d.ct 2>err.txt; then
  fail "it runs outside of an array"
fi
grep -q "sbatch --array" err.txt || fail "no message: $(cat err.txt)"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# infer as ranks of an MPI job: the same bytes, and a dead rank ends the job without a result.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
"$sinter" expand-keys net.sinter server.keys >/dev/null
if ! command -v mpirun >/dev/null || ! "$sinter" infer net.sinter --keys server.keys input.ct \
  -o one.ct --mpi >/dev/null 2>err.txt; then
  grep -q "built without MPI" err.txt || command -v mpirun >/dev/null ||
    fail "one rank alone: $(cat err.txt)"
  if grep -q "built without MPI" err.txt || ! command -v mpirun >/dev/null; then
    echo "no MPI: skipped"
    exit 0
  fi
  fail "one rank alone: $(cat err.txt)"
fi
cmp output.ct one.ct || fail "one rank alone gives another result"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ranks() { mpirun --oversubscribe -n "$@"; }
for n in 2 3; do
  ranks $n "$sinter" infer net.sinter --keys server.keys input.ct -o m$n.ct --mpi >log.txt 2>err.txt ||
    fail "$n ranks: $(cat err.txt)"
  grep -q "$n workers" log.txt || fail "$n ranks print $(cat log.txt)"
  cmp output.ct m$n.ct || fail "$n ranks give another result"
done
# Errors of any rank end all with the message.
if ranks 2 "$sinter" infer net.sinter --keys missing.keys input.ct -o x.ct --mpi >log.txt 2>err.txt; then
  fail "missing keys are no error"
fi
grep -q "sinter: error: missing.keys" err.txt || fail "no message: $(cat err.txt)"
[ ! -e x.ct ] || fail "a result without keys"
# A rank that is killed or stopped.
many=()
for i in $(seq 200); do
  cp input.ct c$i.ct
  many+=(c$i.ct)
done
rank() { # rank NUMBER of the job $pid: its process
  for process in $(pgrep -P $pid); do
    if tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1"; then echo "$process"; fi
  done
}
trouble() { # trouble SIGNAL RANK: the job ends with an error, and its results are whole
  rm -rf out && mkdir out
  mpirun --oversubscribe -n 2 "$sinter" infer net.sinter --keys server.keys "${many[@]}" -o out --mpi \
    --worker-silence 2 >log.txt 2>err.txt &
  pid=$!
  first_result $pid
  kill -"$1" "$(rank "$2")" || fail "there was no rank to signal"
  if wait $pid; then fail "a job succeeded in spite of $1 for rank $2"; fi
  for file in out/c*.out.ct; do cmp output.ct "$file" || fail "a result is not whole"; done
}
trouble KILL 0
trouble KILL 1
trouble STOP 1
grep -Eq "rank 1: (did not answer|sent nothing|took nothing|.*broke off)" err.txt || fail "no message: $(cat err.txt)"

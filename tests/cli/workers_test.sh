#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# infer on worker processes: the same bytes for any number, whatever becomes of a worker.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
call=("$sinter" infer net.sinter --keys server.keys --memory 2G)
infer() { "${call[@]}" "$@"; }
refused 10 "sinter expand-keys PROGRAM server.keys" infer input.ct -o x.ct --workers 2
"$sinter" expand-keys net.sinter server.keys >/dev/null
for workers in 1 2 3; do
  shows "$workers workers with 1 threads" infer input.ct -o w$workers.ct --workers $workers --threads 1
  cmp output.ct w$workers.ct || fail "$workers workers give another result"
done
cores=$(nproc)
share=$((cores < 2 ? 1 : cores > 64 ? 32 : cores / 2))
shows "2 workers with $share threads" infer input.ct -o w.ct --workers 2
shows '"workers": 2' infer input.ct -o w.ct --workers 2 --threads 2 --json
cmp output.ct w.ct || fail "two threads in each of two workers give another result"
# Images: whole ones for each worker, the rest in pieces.
for i in 1 2 3; do
  "$sinter" encrypt net.sinter --key client.key --input data.npy --index $i -o in$i.ct >/dev/null
  infer in$i.ct -o plain$i.ct >/dev/null
done
mkdir many
infer in1.ct in2.ct in3.ct -o many --workers 2 >/dev/null
for i in 1 2 3; do cmp plain$i.ct many/in$i.out.ct || fail "image $i has another result"; done
# Who computed what and when.
infer input.ct -o w.ct --workers 2 --report run.json --html run.html >/dev/null
cmp output.ct w.ct || fail "the report changed the result"
"$python" - <<'PY' || fail "the report of workers is not as it should be"
import json, xml.etree.ElementTree as tree
run = json.load(open("run.json"))
assert {t["worker"] for t in run["tasks"]} <= {0, 1} and run["tasks"], run["tasks"]
assert all(0 <= t["begin"] <= t["end"] <= run["seconds"] + 1 for t in run["tasks"])
text = open("run.html", encoding="utf-8").read()
tree.fromstring(text.split("\n", 1)[1])
assert "Workers over time" in text and text.count("<rect") >= len(run["tasks"])
PY
refused 10 "same file" infer input.ct -o x.ct --workers 2 --html output.ct --report output.ct
# Errors of the files and the command line.
refused 10 "for each of 3 workers" "$sinter" infer net.sinter --keys server.keys input.ct -o x.ct --workers 3 --memory 100M
refused 2 "excludes" infer input.ct -o x.ct --workers 2 --mpi
refused 10 "expected to be started by" "$sinter" worker net.sinter --keys server.keys --memory 1000 3<&-
cp server.keys.expanded bad.expanded
"$python" -c "
f = open('bad.expanded', 'r+b')
f.seek(-1, 2)
f.write(b'x')"
refused 11 "bad.expanded: damaged" "$sinter" infer net.sinter --keys bad.expanded input.ct -o x.ct --workers 2

# A worker in trouble, in the middle of many images. It is the newest child of the coordinator.
many=()
for i in $(seq 200); do
  cp in1.ct c$i.ct
  many+=(c$i.ct)
done
trouble() { # trouble SIGNAL TEXT OPTIONS...
  local signal=$1 text=$2 pid worker
  shift 2
  rm -rf out && mkdir out
  "${call[@]}" "${many[@]}" -o out --workers 2 "$@" >log.txt 2>err.txt &
  pid=$!
  first_result $pid
  kill -STOP $pid # it hands out no more of its images meanwhile
  worker=$(pgrep -P $pid | tail -n 1)
  kill -"$signal" "$worker" || fail "there was no worker to signal"
  kill -CONT $pid
  wait $pid || fail "the coordinator failed: $(cat err.txt)"
  grep -q "$text" err.txt || fail "no warning of the lost worker: $(cat err.txt)"
  for i in $(seq 200); do cmp plain1.ct out/c$i.out.ct || fail "image $i has another result"; done
  if kill -0 "$worker" 2>/dev/null; then fail "the lost worker is still there"; fi
}
trouble KILL "is gone"
trouble STOP "did not answer\|sent nothing\|took nothing" --worker-silence 2
# All of them stopped and continued, as Ctrl-Z and fg do: nobody is lost.
rm -rf out && mkdir out
setsid "${call[@]}" "${many[@]}" -o out --workers 2 --worker-silence 2 >/dev/null 2>err.txt &
pid=$!
first_result $pid
kill -STOP -- -$pid
sleep 3
kill -CONT -- -$pid
wait $pid || fail "it does not go on after a stop: $(cat err.txt)"
if grep "did not answer" err.txt; then fail "a stop of all loses a worker"; fi
for i in $(seq 200); do cmp plain1.ct out/c$i.out.ct || fail "image $i has another result"; done
# Workers end when their coordinator does, and nothing but whole results is left.
rm -rf out && mkdir out
"${call[@]}" "${many[@]}" -o out --workers 2 >/dev/null 2>err.txt &
pid=$!
first_result $pid
workers=$(pgrep -P $pid)
kill -KILL $pid
wait $pid 2>/dev/null || true
for file in out/c*.out.ct; do cmp plain1.ct "$file" || fail "a result is not whole"; done
for ((i = 0; i < 200; ++i)); do
  kill -0 $workers 2>/dev/null || break
  sleep 0.05
done
for worker in $workers; do
  if kill -0 "$worker" 2>/dev/null; then fail "worker $worker outlives its coordinator"; fi
done

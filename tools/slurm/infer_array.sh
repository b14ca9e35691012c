#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A batch of images as a Slurm array: every task computes its slice of the ciphertexts with
# `sinter infer`; tasks share the program and the expanded keys, which lie where all can read them.
#
#   sbatch --array=0-7 --cpus-per-task=16 tools/slurm/infer_array.sh \
#     --program net.sinter --keys server.keys --out results inputs/*.ct -- --threads 16
#
# What follows `--` goes to sinter infer. Slurm sets SLURM_ARRAY_TASK_ID, _MIN, _COUNT and _STEP; a
# task without inputs does nothing. Results that are there are passed over, so that a job may simply
# be submitted again. SINTER names the command when it is not in PATH.
set -euo pipefail

die() {
  printf 'infer_array: %s\n' "$*" >&2
  exit 2
}

program='' keys='' out='' inputs=() extra=()
while [ $# -gt 0 ]; do
  case "$1" in
    --program | --keys | --out)
      [ $# -ge 2 ] || die "$1: expected a path"
      declare "${1#--}=$2"
      shift 2
      ;;
    --)
      shift
      extra=("$@")
      break
      ;;
    -*) die "unknown option $1" ;;
    *)
      inputs+=("$1")
      shift
      ;;
  esac
done
[ -n "$program" ] && [ -n "$keys" ] && [ -n "$out" ] ||
  die "expected --program FILE --keys FILE --out FOLDER INPUT.ct... [-- OPTIONS OF sinter infer]"
[ ${#inputs[@]} -gt 0 ] || die "expected ciphertexts, found none"
[ -n "${SLURM_ARRAY_TASK_ID:-}" ] && [ -n "${SLURM_ARRAY_TASK_COUNT:-}" ] ||
  die "expected to run as a task of a Slurm array: sbatch --array=0-7 ..."

step=${SLURM_ARRAY_TASK_STEP:-1}
number=$(((SLURM_ARRAY_TASK_ID - ${SLURM_ARRAY_TASK_MIN:-0}) / step))
count=$SLURM_ARRAY_TASK_COUNT
[ "$number" -ge 0 ] && [ "$number" -lt "$count" ] || die "task $number is outside of $count tasks"
total=${#inputs[@]}
first=$((total * number / count)) last=$((total * (number + 1) / count))

mkdir -p "$out"
files=() outputs=()
for ((i = first; i < last; ++i)); do
  name=$(basename "${inputs[i]}" .ct)
  [ -e "$out/$name.out.ct" ] && continue
  files+=("${inputs[i]}")
  outputs+=(-o "$out/$name.out.ct")
done
if [ ${#files[@]} = 0 ]; then
  printf 'task %d of %d: nothing to do\n' "$number" "$count"
  exit 0
fi
exec "${SINTER:-sinter}" infer "$program" --keys "$keys" "${files[@]}" "${outputs[@]}" "${extra[@]}"

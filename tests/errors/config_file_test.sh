#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scheme.yaml: unknown, repeated and malformed keys, with line and what is allowed.
. "$(dirname "$0")/../support/cli.sh"
tiny good
array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4")'
bad() { # bad TEXT, the file on stdin
  cat >s.yaml
  refused 10 "$1" "$sinter" compile good.onnx --data data.npy --config s.yaml -o net.sinter
}
bad "s.yaml:3: ckks.log_m: unknown key: expected one of log_n, log_q0, log_scale, log_q, log_p, secret, security" <<YAML
# a comment
ckks:
  log_m: 15
YAML
bad "s.yaml:2: crypto: unknown key: expected one of ckks, input, compile" <<YAML
input: {scale: 1}
crypto: {}
YAML
bad "s.yaml:3: ckks.log_n: given twice" <<YAML
ckks:
  log_n: 15
  log_n: 15
YAML
bad "s.yaml:1: ckks.log_n: expected an integer, found 'many'" <<YAML
ckks: {log_n: many}
YAML
bad "s.yaml:1: ckks.log_p: expected a list of integers, found '48'" <<YAML
ckks: {log_p: 48}
YAML
bad "s.yaml:2: input.scale: expected a finite number, found '.nan'" <<YAML
input:
  scale: .nan
YAML
bad "s.yaml:1: ckks.secret: expected auto, ternary or {hamming: weight}, found 'dense'" <<YAML
ckks: {secret: dense}
YAML
bad "s.yaml:1: ckks.secret: expected ternary or {hamming: weight}, found an empty map" <<YAML
ckks: {secret: {}}
YAML
bad "s.yaml:2: input.scale: expected a number other than 0, found '0.0'" <<YAML
input:
  scale: 0.0
YAML
bad "s.yaml:2: ckks: log_q0 is 41, log_scale is 40: expected a first prime" <<YAML
ckks:
  {log_q0: 41, log_scale: 40}
YAML
bad "log_q0 is 48, log_scale is 2147483647" <<YAML
ckks: {log_scale: 2147483647}
YAML
bad "the first of log_q is 36, log_scale is 35" <<YAML
ckks: {log_q0: 45, log_scale: 35, log_q: [36, 35, 35]}
YAML
bad "s.yaml:1: ckks.security: expected 128 or none_for_tests, found '100'" <<YAML
ckks: {security: 100}
YAML
bad "s.yaml:1: compile: expected a map" <<YAML
compile: fast
YAML
bad "s.yaml:2: not YAML" <<YAML
ckks: {log_n: 15
input: }{
YAML
bad "log_n" <<YAML
ckks: {log_n: 99}
YAML
refused 14 "none.yaml: cannot open" "$sinter" compile good.onnx --data data.npy --config none.yaml -o net.sinter

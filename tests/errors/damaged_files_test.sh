#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Truncated and bit-flipped programs, keys and ciphertexts.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
for position in 0 9 20 40 80 -1; do
  damaged input.ct bad.ct "$position"
  refused 11 "bad.ct" "$sinter" infer net.sinter --keys server.keys bad.ct -o x.ct
  damaged output.ct bad.ct "$position"
  refused 11 "bad.ct" "$sinter" decrypt net.sinter --key client.key bad.ct -o x.npy
  damaged server.keys bad.keys "$position"
  refused 11 "bad.keys" "$sinter" infer net.sinter --keys bad.keys input.ct -o x.ct
  damaged client.key bad.key "$position"
  refused 11 "bad.key" "$sinter" decrypt net.sinter --key bad.key output.ct -o x.npy
  damaged net.sinter bad.sinter "$position"
  refused 11 "bad.sinter" "$sinter" keygen bad.sinter --secret x.key --eval x.keys
done
for bytes in 0 10 63 100 500; do
  truncated input.ct bad.ct "$bytes"
  refused 11 "bad.ct" "$sinter" infer net.sinter --keys server.keys bad.ct -o x.ct
  truncated server.keys bad.keys "$bytes"
  refused 11 "bad.keys" "$sinter" infer net.sinter --keys bad.keys input.ct -o x.ct
  truncated client.key bad.key "$((bytes < 200 ? bytes : 150))"
  refused 11 "bad.key" "$sinter" encrypt net.sinter --key bad.key --input image.npy -o x.ct
  truncated net.sinter bad.sinter "$bytes"
  refused 11 "bad.sinter" "$sinter" encrypt bad.sinter --key client.key --input image.npy -o x.ct
done
cat input.ct image.npy >long.ct
refused 11 "long.ct" "$sinter" infer net.sinter --keys server.keys long.ct -o x.ct

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Wrong command lines exit with 2 and say how to find the options; existing keys are not replaced.
. "$(dirname "$0")/../support/cli.sh"
refused 2 "required" "$sinter" run
refused 2 "unknown command 'frobnicate': expected one of inspect," "$sinter" frobnicate
refused 2 "expected a command" "$sinter"
refused 2 "" "$sinter" run m.onnx --threads 0
refused 2 "" "$sinter" inspect m.onnx --no-such-option
refused 2 "model" "$sinter" inspect
refused 2 "" "$sinter" optimize m.onnx --verify 1
encrypted_net
refused 10 "client.key: exists already" "$sinter" keygen net.sinter --secret client.key --eval new.keys
refused 10 "server.keys: exists already" "$sinter" keygen net.sinter --secret new.key --eval server.keys
refused 10 "same file" "$sinter" keygen net.sinter --secret new.key --eval ./new.key
refused 10 "unknown_pass" "$sinter" optimize good.onnx --skip unknown_pass -o out.onnx
refused 10 "expected -o FILE" "$sinter" compile good.onnx --data data.npy
refused 10 "one -o per ciphertext" "$sinter" infer net.sinter --keys server.keys input.ct input.ct -o x.ct
refused 10 "--index 4" "$sinter" encrypt net.sinter --key client.key --input data.npy --index 4 -o x.ct

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No command writes over a file that it reads, by whatever path, nor over a secret key.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
same="the same file"
ln -s . here
ln -s client.key link.key
ln -s fresh.key dangling.key
for path in fresh.key ./fresh.key "$PWD/fresh.key" here/fresh.key dangling.key; do
  refused 10 "$same" "$sinter" keygen net.sinter --secret fresh.key --eval "$path"
  refused 10 "$same" "$sinter" keygen net.sinter --secret "$path" --eval fresh.key --force
done
refused 10 "$same" "$sinter" keygen net.sinter --secret client.key --eval link.key --force
refused 10 "$same" "$sinter" keygen net.sinter --secret here/net.sinter --eval e.keys --force
refused 10 "$same" "$sinter" keygen net.sinter --secret s.key --eval ./net.sinter --force
for path in net.sinter client.key image.npy link.key here/client.key "$PWD/net.sinter"; do
  refused 10 "$same" "$sinter" encrypt net.sinter --key client.key --input image.npy -o "$path"
done
for path in net.sinter server.keys here/input.ct; do
  refused 10 "$same" "$sinter" infer net.sinter --keys server.keys input.ct -o "$path"
done
cp input.ct second.ct
refused 10 "two results" "$sinter" infer net.sinter --keys server.keys input.ct second.ct -o x.ct -o here/x.ct
echo zero >labels.txt
for path in net.sinter ./client.key output.ct labels.txt; do
  refused 10 "$same" "$sinter" decrypt net.sinter --key client.key output.ct --labels labels.txt -o "$path"
done
for path in good.onnx here/data.npy scheme.yaml; do
  refused 10 "$same" "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o "$path"
done
refused 10 "$same" "$sinter" optimize good.onnx -o ./good.onnx
refused 10 "$same" "$sinter" optimize good.onnx --report here/good.onnx
refused 10 "$same" "$sinter" optimize good.onnx -o out.onnx --report ./out.onnx
# `run` names its files itself: the output y goes to y.npy.
cp image.npy y.npy
refused 10 "$same" "$sinter" run good.onnx --input x=y.npy --output .
refused 10 "$same" "$sinter" run good.onnx --input x=image.npy --compare here/y.npy --output .
# --stats, even when the rest of the command line is wrong.
refused 10 "$same" "$sinter" inspect good.onnx --stats here/good.onnx
refused 10 "$same" "$sinter" run good.onnx --input x=image.npy --stats ./image.npy
refused 2 "" "$sinter" run good.onnx --no-such-option --stats good.onnx
# A secret key that the command does not read is no place for a result either.
"$sinter" keygen net.sinter --secret other.key --eval other.keys >/dev/null 2>&1
secret="other.key: holds a secret key"
refused 10 "$secret" "$sinter" optimize good.onnx -o other.key
refused 10 "$secret" "$sinter" optimize good.onnx --report other.key
refused 10 "$secret" "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o other.key
refused 10 "$secret" "$sinter" keygen net.sinter --secret s.key --eval other.key --force
refused 10 "$secret" "$sinter" encrypt net.sinter --key client.key --input image.npy -o other.key
refused 10 "$secret" "$sinter" infer net.sinter --keys server.keys input.ct -o other.key
refused 10 "$secret" "$sinter" decrypt net.sinter --key client.key output.ct -o other.key
refused 10 "$secret" "$sinter" inspect good.onnx --stats other.key
# A new result may replace an old one, and --force an old key.
shows "encrypted" "$sinter" encrypt net.sinter --key client.key --input image.npy -o input.ct
shows "security" "$sinter" keygen net.sinter --secret other.key --eval other.keys --force

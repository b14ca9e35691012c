#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A model file that is missing, truncated, garbage, empty or a folder.
. "$(dirname "$0")/../support/cli.sh"
tiny good
refused 14 "none.onnx: cannot open: No such file or directory" "$sinter" inspect none.onnx
refused 14 "none.onnx: cannot open" "$sinter" optimize none.onnx -o out.onnx --report r.json
truncated good.onnx short.onnx 200
refused 11 "short.onnx" "$sinter" inspect short.onnx
refused 11 "short.onnx" "$sinter" optimize short.onnx -o out.onnx
head -c 4096 /dev/zero | tr '\0' '\377' >garbage.onnx
refused 11 "garbage.onnx" "$sinter" inspect garbage.onnx
echo "this is a text" >text.onnx
refused 11 "text.onnx" "$sinter" optimize text.onnx -o out.onnx
: >empty.onnx
refused 11 "empty.onnx" "$sinter" inspect empty.onnx
mkdir folder.onnx
refused 14 "folder.onnx: not a regular file" "$sinter" inspect folder.onnx

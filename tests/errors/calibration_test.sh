#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Calibration data with NaN or infinity names image and element; wrong shapes are refused.
. "$(dirname "$0")/../support/cli.sh"
tiny good
scheme scheme.yaml
array nan.npy 'np.where(np.arange(256).reshape(4, 1, 8, 8) == 2 * 64 + 5, np.nan, 0.5).astype("f4")'
refused 11 "image 2" "$sinter" compile good.onnx --data nan.npy --config scheme.yaml -o net.sinter
refused 11 "element 5" "$sinter" compile good.onnx --data nan.npy --config scheme.yaml -o net.sinter
array inf.npy 'np.where(np.arange(256).reshape(4, 1, 8, 8) == 3 * 64, np.inf, 0.5).astype("f4")'
refused 11 "image 3" "$sinter" compile good.onnx --data inf.npy --config scheme.yaml -o net.sinter
array wide.npy 'np.zeros((4, 1, 8, 9), "f4")'
refused 10 "input x has shape" "$sinter" compile good.onnx --data wide.npy --config scheme.yaml -o net.sinter
array none.npy 'np.zeros((0, 1, 8, 8), "f4")'
refused 10 "calibration" "$sinter" compile good.onnx --data none.npy --config scheme.yaml -o net.sinter

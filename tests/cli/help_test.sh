#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every command has help with an example; the version is printed; lists need no model.
. "$(dirname "$0")/../support/cli.sh"
for verb in inspect optimize verify run calibrate compile keygen expand-keys encrypt infer decrypt report debug; do
  shows "Example:" "$sinter" "$verb" --help
  grep -q "  sinter $verb " "$work/stdout" || fail "the example of $verb does not show $verb"
done
shows "sinter 0." "$sinter" --version
shows "Exit codes" "$sinter" --help
shows "fuse_herpn" "$sinter" optimize --list
shows "ChannelQuadratic" "$sinter" inspect --operators

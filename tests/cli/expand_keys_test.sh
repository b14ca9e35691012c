#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Expanded keys: the same results, found beside the keys or named, never used when they are stale.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
shows "server.keys.expanded" "$sinter" expand-keys net.sinter server.keys --threads 2
shows "keys mapped" "$sinter" infer net.sinter --keys server.keys input.ct -o mapped.ct
cmp output.ct mapped.ct || fail "mapped keys give another result"
shows "keys mapped" "$sinter" infer net.sinter --keys server.keys.expanded input.ct -o named.ct
cmp output.ct named.ct || fail "an expanded file that is named gives another result"
"$sinter" expand-keys net.sinter server.keys --json >e.json
"$python" -c "
import json, os
e = json.load(open('e.json'))
assert e['compressed_bytes'] == os.path.getsize('server.keys'), e
assert e['expanded_bytes'] == os.path.getsize('server.keys.expanded') > 1.5 * e['compressed_bytes'], e"
# It is an input: nothing may be written over it, and it is no place for a secret key's successor.
refused 10 "names the same file" "$sinter" infer net.sinter --keys server.keys input.ct -o server.keys.expanded
refused 10 "names the same file" "$sinter" expand-keys net.sinter server.keys -o server.keys
refused 10 "holds a secret key" "$sinter" expand-keys net.sinter server.keys -o client.key
refused 11 "expected evaluation keys" "$sinter" expand-keys net.sinter client.key
# Damage inside a key names file and key.
cp server.keys.expanded bad.expanded
"$python" -c "
f = open('bad.expanded', 'r+b')
f.seek(-1, 2)
f.write(b'x')"
refused 11 "bad.expanded: damaged: the checksum of the key" "$sinter" infer net.sinter --keys bad.expanded input.ct -o x.ct
# New keys beside an old expanded file: loaded, with a warning.
cp server.keys.expanded old.expanded
"$sinter" keygen net.sinter --secret c2.key --eval s2.keys >/dev/null
mv old.expanded s2.keys.expanded
"$sinter" encrypt net.sinter --key c2.key --input image.npy -o i2.ct >/dev/null
"$sinter" infer net.sinter --keys s2.keys i2.ct -o o2.ct >out.txt 2>err.txt
grep -q "keys loaded" out.txt || fail "a stale expanded file was used: $(cat out.txt)"
grep -q "s2.keys.expanded is not used: was not made from s2.keys" err.txt || fail "no warning: $(cat err.txt)"
printf 'x' >s2.keys.expanded
"$sinter" infer net.sinter --keys s2.keys i2.ct -o o2.ct >out.txt 2>err.txt
grep -q "keys loaded" out.txt || fail "a broken expanded file was used: $(cat out.txt)"
# One that was cut short has a whole index of the right keys: passed over as well.
"$sinter" expand-keys net.sinter s2.keys >/dev/null
truncate -s -4096 s2.keys.expanded
"$sinter" infer net.sinter --keys s2.keys i2.ct -o o2.ct >out.txt 2>err.txt
grep -q "keys loaded" out.txt || fail "a truncated expanded file was used: $(cat out.txt)"
grep -q "s2.keys.expanded is not used" err.txt || fail "no warning: $(cat err.txt)"

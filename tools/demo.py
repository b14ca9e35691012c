#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job end to end: a trained network as exported, fused, run in the clear and encrypted.

usage: demo.py SINTER MODEL_FOLDER WORK_FOLDER [--images N]

The client's folder holds the secret key. The server's folder gets the compiled program, the
evaluation keys and ciphertexts, and the server's processes run inside it and are given nothing else.
"""
import argparse
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

DIFFERENCE_BOUND = 1e-3  # of the largest |logit|


def read_npy(path):
    """A flat list of floats from a little-endian f4/f8 .npy file (numpy is not needed here)."""
    data = path.read_bytes()
    length = struct.unpack("<H", data[8:10])[0] if data[6] == 1 else struct.unpack("<I", data[8:12])[0]
    start = (10 if data[6] == 1 else 12) + length
    kind = "d" if b"<f8" in data[:start] else "f"
    return [v[0] for v in struct.iter_unpack("<" + kind, data[start:])]


class Steps:
    """Runs commands, shows them, and keeps seconds and peak memory of each."""

    def __init__(self):
        self.rows = []

    def run(self, title, command, cwd=None, quiet=False, expect=0):
        print(f"\n$ {' '.join(str(c) for c in command)}", flush=True)
        start = time.monotonic()
        process = subprocess.Popen([str(c) for c in command], cwd=cwd,
                                   stdout=subprocess.DEVNULL if quiet else None)
        _, status, usage = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.rows.append((title, time.monotonic() - start, usage.ru_maxrss / 1024))
        if code != expect:
            sys.exit(f"demo: {title}: expected exit code {expect}, found {code}")
        return self.rows[-1][1]

    def table(self):
        print(f"\n{'step':<34}{'seconds':>9}{'peak MiB':>10}")
        for title, seconds, memory in self.rows:
            print(f"{title:<34}{seconds:>9.2f}{memory:>10.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sinter", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=5)
    arguments = parser.parse_args()
    sinter, model = arguments.sinter.resolve(), arguments.model.resolve()
    work = arguments.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    client, server = work / "client", work / "server"
    client.mkdir(parents=True)
    server.mkdir()
    labels = [line.split() for line in (model / "labels.txt").read_text().splitlines() if line.strip()]
    images = [model / "images" / f"{i:02}.png" for i in range(arguments.images)]
    steps = Steps()
    began = time.monotonic()

    print("== the model as exported, and fused")
    steps.run("inspect", [sinter, "inspect", model / "model.onnx"])
    steps.run("optimize and verify", [sinter, "optimize", model / "model.onnx", "-o", work / "fused.onnx",
                                      "--verify", "4", "--report", work / "optimize.json"])
    steps.run("inspect the fused model", [sinter, "inspect", work / "fused.onnx"])

    print("\n== float32")
    for i, image in enumerate(images):
        steps.run(f"run, image {i}", [sinter, "run", work / "fused.onnx", "--input", f"x={image}",
                                      "--config", model / "scheme.yaml", "--output", work / f"float{i}"], quiet=True)

    print("\n== encrypted: what fusion saves, then compile")
    compiling = [sinter, "compile", model / "model.onnx", "--data", model / "calibration.npy",
                 "--config", model / "scheme.yaml", "--explain"]
    steps.run("plan without fusion", compiling + ["--no-fuse", "--dry-run"])
    steps.run("compile", compiling + ["-o", work / "net.sinter"])
    shutil.copy(work / "net.sinter", client)
    shutil.copy(work / "net.sinter", server)
    steps.run("keygen (client)", [sinter, "keygen", "net.sinter", "--secret", "client.key",
                                  "--eval", "server.keys"], cwd=client)
    shutil.move(client / "server.keys", server)

    print("\n== encrypted inference: client and server in folders and processes of their own")
    rows, seconds_each = [], []
    for i, image in enumerate(images):
        steps.run(f"encrypt (client), image {i}", [sinter, "encrypt", "net.sinter", "--key", "client.key",
                                                   "--input", image, "-o", "input.ct"], cwd=client)
        shutil.move(client / "input.ct", server)
        seconds_each.append(steps.run(f"infer (server), image {i}", [
            sinter, "infer", "net.sinter", "--keys", "server.keys", "input.ct", "-o", "output.ct"], cwd=server))
        shutil.move(server / "output.ct", client)
        steps.run(f"decrypt (client), image {i}", [sinter, "decrypt", "net.sinter", "--key", "client.key",
                                                   "output.ct", "-o", "logits.npy"], cwd=client)
        plain = read_npy(work / f"float{i}" / "logits.npy")
        secret = read_npy(client / "logits.npy")
        difference = max(abs(a - b) for a, b in zip(plain, secret))
        rows.append((labels[i][1], plain.index(max(plain)), secret.index(max(secret)), difference,
                     difference / max(abs(v) for v in plain)))

    steps.table()
    print(f"\n{'image':<7}{'true label':<12}{'float32 class':<15}{'encrypted class':<17}"
          f"{'max |difference|':<18}{'of the largest |logit|':<24}{'infer s':>8}")
    for i, (label, plain, secret, difference, relative) in enumerate(rows):
        print(f"{i:<7}{label:<12}{plain:<15}{secret:<17}{difference:<18.3e}{relative:<24.3e}{seconds_each[i]:>8.2f}")
    print(f"\nsecret key seen by the server: {'yes' if list(server.glob('*client*')) else 'no'}; "
          f"files there: {', '.join(sorted(p.name for p in server.iterdir()))}")
    print(f"whole demo: {time.monotonic() - began:.1f} s; results in {os.path.relpath(work)}")
    (work / "demo.json").write_text(json.dumps({
        "steps": [{"step": t, "seconds": s, "peak_mib": m} for t, s, m in steps.rows],
        "images": [{"label": r[0], "float32": r[1], "encrypted": r[2], "difference": r[3], "relative": r[4]}
                   for r in rows]}, indent=2) + "\n")
    good = all(r[1] == r[2] and r[4] <= DIFFERENCE_BOUND for r in rows)
    print("demo passed: classes equal, differences within 1e-3 of the largest |logit|" if good else "demo FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

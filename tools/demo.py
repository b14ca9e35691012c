#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job from end to end: a trained network from ONNX, fused, run in the clear and encrypted.

Client and server are two folders and every step is a process of its own. The server's folder gets
the program, the evaluation keys and ciphertexts, and never the client's key; the server's processes
start in it with relative paths only.

Ends with a table, one row an image. Exit code 1 when a class differs or a logit is off by more than
1e-3 of the image's largest |logit|. Everything measured also goes to WORK/report.json.
"""

import argparse
import json
import math
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOUND = 1e-3


class Steps:
    """Runs sinter commands and keeps what each cost."""

    def __init__(self, sinter, work):
        self.sinter, self.work, self.rows = str(sinter), work, []

    def run(self, title, arguments, folder, show=True):
        stats = self.work / "stats.json"
        command = [self.sinter, *map(str, arguments)]
        if show:
            print("\n$ sinter " + shlex.join(command[1:]), flush=True)
        started = time.monotonic()
        done = subprocess.run(command + ["--stats", str(stats)], cwd=folder, text=True,
                              stdout=subprocess.PIPE)
        if done.returncode != 0:
            sys.stdout.write(done.stdout)
            sys.exit(f"demo: step '{title}' failed with exit code {done.returncode}")
        if show:
            sys.stdout.write("".join("  " + line for line in done.stdout.splitlines(True)))
            sys.stdout.flush()
        measured = json.loads(stats.read_text())
        self.rows.append({"step": title, "seconds": time.monotonic() - started,
                          "cpu_seconds": measured["cpu_seconds"],
                          "peak_memory_bytes": measured["peak_memory_bytes"]})
        return done.stdout


def print_table(titles, rows):
    cells = [titles] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[c]) for row in cells) for c in range(len(titles))]
    number = [all(not row[c] or row[c][0] in "-0123456789" for row in cells[1:])
              for c in range(len(titles))]
    for at, row in enumerate(cells):
        line = [cell.rjust(w) if n else cell.ljust(w) for cell, w, n in zip(row, widths, number)]
        print("  ".join(line).rstrip())
        if at == 0:
            print("  ".join("-" * w for w in widths))


def read_labels(path, count):
    """Lines `00.png 9 Ankle boot`."""
    rows = [line.split(maxsplit=2) for line in path.read_text().splitlines() if line.strip()]
    return [(name, int(label), text) for name, label, text in rows][:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sinter", type=pathlib.Path, default=ROOT / "build/release/sinter")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/pcnn-fashion")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/demo")
    parser.add_argument("--images", type=int, default=5)
    options = parser.parse_args()
    started = time.monotonic()

    work = options.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    client, server = work / "client", work / "server"
    client.mkdir(parents=True)
    server.mkdir()
    steps = Steps(options.sinter.resolve(), work)
    source = options.model.resolve()
    model, scheme, data = source / "model.onnx", source / "scheme.yaml", source / "calibration.npy"
    images = read_labels(source / "labels.txt", options.images)
    classes = {label: text for _, label, text in
               read_labels(source / "labels.txt", None)}
    (client / "classes.txt").write_text(
        "".join(classes.get(i, "") + "\n" for i in range(max(classes) + 1)))

    print("== The model, and what fusion makes of it", flush=True)
    steps.run("inspect", ["inspect", model], client)
    steps.run("optimize", ["optimize", model, "-o", "fused.onnx", "--profile", "fhe", "--verify", 12], client)

    print("\n== Float32", flush=True)
    inputs = [text for name, _, _ in images for text in ("--input", f"x={source / 'images' / name}")]
    steps.run("run (float32)", ["run", "fused.onnx", *inputs, "--config", scheme, "--labels",
                                "classes.txt", "--output", "float32"], client)
    float32 = numpy.load(client / "float32" / "logits.npy")

    print("\n== Compiled for encryption; first the levels that the unfused graph would need",
          flush=True)
    plan = ["compile", model, "--data", data, "--config", scheme]
    steps.run("compile, unfused plan", [*plan, "--no-fuse", "--explain"], client)
    steps.run("compile", [*plan, "-o", "net.sinter", "--explain"], client)

    print("\n== Keys", flush=True)
    steps.run("keygen", ["keygen", "net.sinter", "--secret", "client.key", "--eval",
                         work / "server.keys"], client)
    (work / "server.keys").rename(server / "server.keys")
    shutil.copy(client / "net.sinter", server)

    print("\n== Encrypted, image by image: client, server, client", flush=True)
    results = []
    for at, (name, label, text) in enumerate(images):
        show = at == 0
        steps.run("encrypt", ["encrypt", "net.sinter", "--key", "client.key", "--input",
                              source / "images" / name, "-o", f"{at}.ct"], client, show)
        shutil.copy(client / f"{at}.ct", server)
        assert not (server / "client.key").exists()
        before = time.monotonic()
        steps.run("infer", ["infer", "net.sinter", "--keys", "server.keys", f"{at}.ct", "-o",
                            f"{at}.out.ct"], server, show)
        seconds = time.monotonic() - before
        shutil.copy(server / f"{at}.out.ct", client)
        steps.run("decrypt", ["decrypt", "net.sinter", "--key", "client.key", f"{at}.out.ct",
                              "--labels", "classes.txt", "-o", f"{at}.npy"], client, show)
        found, expected = numpy.load(client / f"{at}.npy").ravel(), float32[at].ravel()
        difference = float(numpy.max(numpy.abs(found.astype(float) - expected)))
        largest = float(numpy.max(numpy.abs(expected)))
        results.append({"image": name, "label": label, "name": text,
                        "class_float32": int(expected.argmax()),
                        "class_encrypted": int(found.argmax()), "max_difference": difference,
                        "largest_logit": largest, "relative": difference / largest,
                        "bits": -math.log2(difference / largest) if difference > 0 else 60.0,
                        "infer_seconds": seconds})
        print(f"{name}: class {results[-1]['class_encrypted']}, {seconds:.1f} s", flush=True)

    print("\n== Cost of the steps (mean over repeats)\n")
    rows = []
    for title in dict.fromkeys(row["step"] for row in steps.rows):
        same = [row for row in steps.rows if row["step"] == title]
        mean = lambda key: sum(row[key] for row in same) / len(same)
        rows.append([title, len(same), f"{mean('seconds'):.2f}", f"{mean('cpu_seconds'):.2f}",
                     f"{max(row['peak_memory_bytes'] for row in same) / 1e6:.0f}"])
    print_table(["step", "times", "seconds", "CPU seconds", "peak MB"], rows)

    print("\n== Result\n")
    print_table(["image", "true label", "float32", "encrypted", "max |difference|",
                 "of largest |logit|", "bits", "seconds"],
                [[r["image"], f"{r['label']} {r['name']}", f"{r['class_float32']}",
                  f"{r['class_encrypted']}", f"{r['max_difference']:.3g}", f"{r['relative']:.3g}",
                  f"{r['bits']:.1f}", f"{r['infer_seconds']:.1f}"] for r in results])
    held = sorted(path.name for path in server.iterdir())
    print("\nThe server's folder holds " + ", ".join(held) + ".")
    good = all(r["class_float32"] == r["class_encrypted"] and r["relative"] <= BOUND
               for r in results)
    total = time.monotonic() - started
    print(f"Classes equal and every difference at most {BOUND:g} of the largest |logit|: "
          f"{'yes' if good else 'NO'}. {total:.0f} s in all.")
    (work / "report.json").write_text(json.dumps(
        {"images": results, "steps": steps.rows, "seconds": total, "good": good}, indent=2) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

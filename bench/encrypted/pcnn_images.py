#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Test images through the encrypted PatchCNN of models/pcnn-fashion, with the command line.

Compiles the network for one image a run and for as many as the slots hold, encrypts the first IMAGES
test images, computes on them, decrypts, and compares class and logits with `sinter run` in float32.
Prints one row per program; exits with 1 when more than one class in a hundred differs.

Usage: bench/encrypted/pcnn_images.py [--sinter BIN] [--images N] [--threads T] [--batch K ...] [--json FILE]
Example: bench/encrypted/pcnn_images.py --sinter build/release/sinter --images 100 --threads 2
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from commands import Failed

MODEL = pathlib.Path(__file__).resolve().parents[2] / "models" / "pcnn-fashion"
SHARE_EQUAL = 0.99


def call(*words):
    """Runs a command; its stdout as JSON where it is some, and the wall seconds."""
    start = time.monotonic()
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, words))}: {done.stderr.strip()[-600:]}")
    text = done.stdout
    return (json.loads(text) if text.startswith("{") else {}), time.monotonic() - start


def float32_logits(sinter, images, folder):
    input_name = call(sinter, "inspect", MODEL / "model.onnx", "--json")[0]["inputs"][0]["name"]
    call(sinter, "run", MODEL / "model.onnx", "--input", f"{input_name}={images}", "--config",
         MODEL / "scheme.yaml", "--output", folder / "float32")
    (found,) = (folder / "float32").glob("*.npy")
    return np.load(found)


def measure(sinter, images, expected, batch, threads, folder):
    """One row: the whole path with programs for `batch` images a run."""
    path = {name: folder / name for name in ("net.sinter", "client.key", "server.keys", "in.ct",
                                             "out.ct", "logits.npy")}
    net = path["net.sinter"]
    plan, compile_s = call(sinter, "compile", MODEL / "model.onnx", "--data",
                           MODEL / "calibration.npy", "--config", MODEL / "scheme.yaml", "--batch",
                           batch, "-o", net, "--json")
    _, keygen_s = call(sinter, "keygen", net, "--secret", path["client.key"], "--eval",
                       path["server.keys"], "--force", "--json")
    sent, encrypt_s = call(sinter, "encrypt", net, "--key", path["client.key"], "--input", images,
                           "--all", "-o", path["in.ct"], "--json")
    done, _ = call(sinter, "infer", net, "--keys", path["server.keys"], path["in.ct"], "-o",
                   path["out.ct"], "--threads", threads, "--json")
    _, decrypt_s = call(sinter, "decrypt", net, "--key", path["client.key"], path["out.ct"], "-o",
                        path["logits.npy"], "--json")
    found = np.load(path["logits.npy"])
    count = len(expected)
    seconds = sum(result["seconds"] for result in done["results"])
    return {"batch": plan["batch"], "images": count, "runs": sent["ciphertexts"] // plan["inputs"],
            "threads": threads, "compile_seconds": compile_s, "keygen_seconds": keygen_s,
            "encrypt_seconds": encrypt_s, "infer_seconds": seconds, "decrypt_seconds": decrypt_s,
            "seconds_per_image": seconds / count, "images_per_second": count / seconds,
            "equal_classes": int((found.argmax(1) == expected.argmax(1)).sum()),
            "largest_error": float(np.abs(found - expected).max()),
            "largest_logit": float(np.abs(expected).max()),
            "key_bytes": path["server.keys"].stat().st_size,
            "program_bytes": net.stat().st_size, "sent_bytes": sent["bytes"],
            "peak_memory_bytes": done["peak_memory_bytes"]}


def table(rows):
    columns = [("batch", lambda r: r["batch"]), ("runs", lambda r: r["runs"]),
               ("s/image", lambda r: f"{r['seconds_per_image']:.3f}"),
               ("images/s", lambda r: f"{r['images_per_second']:.2f}"),
               ("same class", lambda r: f"{r['equal_classes']} of {r['images']}"),
               ("error", lambda r: f"{r['largest_error']:.1e} of {r['largest_logit']:.1f}"),
               ("sent/image", lambda r: f"{r['sent_bytes'] / r['images'] / 1e6:.1f} MB"),
               ("keys", lambda r: f"{r['key_bytes'] / 1e6:.0f} MB"),
               ("peak", lambda r: f"{r['peak_memory_bytes'] / 1e9:.1f} GB")]
    cells = [[name for name, _ in columns]] + [[str(f(r)) for _, f in columns] for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(row, widths)) for row in cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sinter", default="build/release/sinter", help="the command")
    parser.add_argument("--images", type=int, default=100, help="how many test images")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", nargs="+", default=["1", "auto"], help="images a run")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        images = folder / "images.npy"
        np.save(images, np.load(MODEL / "test200.npy")[:options.images])
        expected = float32_logits(options.sinter, images, folder)
        rows = [measure(options.sinter, images, expected, batch, options.threads, folder)
                for batch in options.batch]
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 1 if any(r["equal_classes"] < SHARE_EQUAL * r["images"] for r in rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(str(failed))

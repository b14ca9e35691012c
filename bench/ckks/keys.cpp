// SPDX-License-Identifier: Apache-2.0
// Sizes of evaluation keys on disk and in memory, and the time to have them: from the compressed
// file, whose seeds are expanded, and by mapping the expanded one. Files are written to the current
// folder and removed.
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/evaluate.h"
#include "ckks/rows.h"
#include "ckks/serialize.h"

namespace sinter::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kKeys = 14;  // rotations at N = 2^16 with 24 + 5 primes: 2.1 GB

/// Removed with what it names.
struct File {
  fs::path path;
  ~File() { fs::remove(path); }
  double megabytes() const { return double(fs::file_size(path)) / 1e6; }
};

double wall_ms(const std::function<void()>& work) {
  const Timer timer;
  work();
  return 1e3 * timer.wall_s();
}

}  // namespace

std::vector<Fact> key_facts() {
  Setup s(16, 24, 5, {}, false);
  ckks::KeyManifest manifest;
  for (i64 r = 1; r <= kKeys; ++r) manifest.add_rotation(r, s.c().max_level(), s.c().slots());
  const File compressed{"ckks_bench." + std::to_string(getpid()) + ".keys"};
  const File expanded{ckks::expanded_path(compressed.path)};
  const std::string parameters = s.parameters + ", " + std::to_string(kKeys) + " keys";
  std::vector<Fact> facts;
  const auto add = [&](const std::string& name, const std::string& operation, double value,
                       const std::string& unit) {
    facts.push_back({name, operation, parameters, value, unit});
  };
  add("keys_generate", "generating keys into their file", wall_ms([&] {
        generate_evaluation_key_file(s.c(), s.secret, manifest, s.rng, compressed.path, s.pool);
      }),
      "ms");
  add("keys_uncompressed", "keys in memory, uncompressed",
      double(manifest.bytes(s.c().params())) / 1e6, "MB");
  add("keys_file", "keys on disk and on the wire", compressed.megabytes(), "MB");
  const auto file = MappedFile::open(compressed.path);
  add("keys_expand", "writing the expanded file, once",
      wall_ms([&] { expand_evaluation_keys(s.c(), file->bytes(), "keys", expanded.path, s.pool); }),
      "ms");
  add("keys_expanded", "expanded file, mapped and shared", expanded.megabytes(), "MB");
  add("keys_load", "loading from the compressed file",
      wall_ms([&] { load_evaluation_keys(s.c(), file->bytes(), "keys", s.pool); }), "ms");
  add("keys_map", "loading by mapping", wall_ms([&] { map_evaluation_keys(s.c(), expanded.path); }),
      "ms");
  const ckks::EvaluationKeys mapped = map_evaluation_keys(s.c(), expanded.path);
  add("keys_first", "first rotation with a mapped key, checksum included",
      wall_ms([&] { rotate(s.c(), s.x, 1, mapped, s.pool); }), "ms");
  add("keys_second", "the same again", wall_ms([&] { rotate(s.c(), s.x, 1, mapped, s.pool); }),
      "ms");
  return facts;
}

}  // namespace sinter::bench

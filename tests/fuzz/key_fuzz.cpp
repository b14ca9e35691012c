// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as saved keys of every kind, as they are and as the payload of a correct header.
// For evaluation keys of both forms the bytes serve as the index, followed by themselves as
// records; every key of an expanded file that opens is used.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../ckks/seal.h"
#include "base/error.h"
#include "ckks/secret_key.h"
#include "ckks/serialize.h"

namespace {

using namespace sinter;
using namespace sinter::ckks;

const Context& context() {
  static const std::shared_ptr<const Context> shared = [] {
    CkksOptions o;
    o.log_n = 4;
    o.log_q = {48, 40, 40};
    o.log_p = {48};
    o.security = Security::none_for_tests;
    return Context::create(CkksParams::check(o));
  }();
  return *shared;
}

template <class Load>
void try_load(const Load& load) {
  try {
    load();
  } catch (const Error&) {
  }
}

void try_expanded(std::span<const std::byte> bytes) {
  try_load([&] {
    const std::shared_ptr<std::byte> copy(
        static_cast<std::byte*>(std::aligned_alloc(64, (bytes.size() + 64) / 64 * 64)),
        [](std::byte* p) { std::free(p); });
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    const EvaluationKeys keys =
        view_evaluation_keys(context(), {copy.get(), bytes.size()}, copy, "expanded");
    for (i64 i = 0; i < keys.manifest().key_count(); ++i) try_load([&] { keys.key(i); });
  });
}

/// The first `index` bytes under a header, zeros to the boundary, the rest.
std::vector<std::byte> key_file(std::span<const std::byte> bytes, size_t index, ObjectKind kind,
                                size_t boundary) {
  std::vector<std::byte> file = seal(kind, context().params().hash(), bytes.first(index));
  while (file.size() % boundary != 0) file.push_back(std::byte(0));
  file.insert(file.end(), bytes.begin() + i64(index), bytes.end());
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const Context& c = context();
  const u64 hash = c.params().hash();
  ThreadPool pool(1);
  try_load([&] { load_evaluation_keys(c, bytes, "input", pool); });
  try_load([&] { load_secret_key(c, bytes, "input"); });
  try_load([&] { load_public_key(c, bytes, "input"); });
  try_load([&] { load_secret_key(c, seal(ObjectKind::secret_key, hash, bytes), "sealed"); });
  try_load([&] { load_public_key(c, seal(ObjectKind::public_key, hash, bytes), "sealed"); });
  try_expanded(bytes);
  for (size_t index = 0; index <= size && index <= 1024; index += 8) {
    try_load([&] {
      load_evaluation_keys(c, key_file(bytes, index, ObjectKind::evaluation_keys, 64), "sealed",
                           pool);
    });
    // The expanded index starts with a digest and the stride, which only one number may be.
    std::vector<std::byte> expanded(32, std::byte(7));
    const u64 stride = u64(c.n()) + 8;
    const auto* words = reinterpret_cast<const std::byte*>(&stride);
    expanded.insert(expanded.end(), words, words + 8);
    expanded.insert(expanded.end(), bytes.begin(), bytes.end());
    try_expanded(key_file(expanded, index + 40, ObjectKind::expanded_keys, 4096));
  }
  return 0;
}

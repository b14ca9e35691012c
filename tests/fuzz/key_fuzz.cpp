// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as saved keys of every kind, as they are and as the payload of a correct header.
// For evaluation keys the bytes serve as the index, followed by themselves as records.
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
  for (size_t index = 0; index <= size && index <= 1024; index += 8)
    try_load([&] {
      std::vector<std::byte> file = seal(ObjectKind::evaluation_keys, hash, bytes.first(index));
      while (file.size() % 64 != 0) file.push_back(std::byte(0));
      file.insert(file.end(), bytes.begin() + i64(index), bytes.end());
      load_evaluation_keys(c, file, "sealed", pool);
    });
  return 0;
}

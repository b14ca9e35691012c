// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as a saved ciphertext, a file of several or saved parameters: an Error or a valid
// object, nothing else. The header's checksum would stop almost every mutation, so the bytes are
// also read as the payload of a correct header.
#include "../ckks/seal.h"
#include "base/error.h"
#include "ckks/bundle.h"
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

/// Every ciphertext of a file of several; what is accepted is saved to as many bytes.
void load_bundle(std::span<const std::byte> bytes) {
  const Bundle bundle(context(), bytes, "bundle");
  std::vector<Ciphertext> all;
  for (i64 r = 0; r < bundle.runs(); ++r)
    for (Ciphertext& x : bundle.run(r)) all.push_back(std::move(x));
  SINTER_ASSERT(save_bundle(context(), all, bundle.per_run(), bundle.images()).size() ==
                bytes.size());
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
  try_load([&] { load_ciphertext(c, bytes, "input"); });
  try_load([&] { load_params(bytes, "input"); });
  try_load([&] {
    const Ciphertext x = load_ciphertext(c, seal(ObjectKind::ciphertext, hash, bytes), "sealed");
    SINTER_ASSERT(load_ciphertext(c, save_ciphertext(c, x), "again").level() == x.level());
  });
  try_load([&] { load_bundle(bytes); });
  // The input as index and entries under a right header: the index ends where its count says.
  if (bytes.size() >= 40) {
    const size_t count = std::min<size_t>(size_t(bytes[32]), (bytes.size() - 40) / 40);
    const size_t index = 40 + 40 * count;
    std::vector<std::byte> file = seal(ObjectKind::bundle, hash, bytes.first(index));
    file.insert(file.end(), bytes.begin() + std::ptrdiff_t(index), bytes.end());
    try_load([&] { load_bundle(file); });
  }
  try_load([&] { load_params(seal(ObjectKind::params, hash, bytes), "sealed"); });
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as a saved ciphertext or saved parameters: an Error or a valid object, nothing
// else. The header's checksum would stop almost every mutation, so the bytes are also read as the
// payload of a correct header.
#include "../ckks/seal.h"
#include "base/error.h"
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
  try_load([&] { load_ciphertext(c, bytes, "input"); });
  try_load([&] { load_params(bytes, "input"); });
  try_load([&] {
    const Ciphertext x = load_ciphertext(c, seal(ObjectKind::ciphertext, hash, bytes), "sealed");
    SINTER_ASSERT(load_ciphertext(c, save_ciphertext(c, x), "again").level() == x.level());
  });
  try_load([&] { load_params(seal(ObjectKind::params, hash, bytes), "sealed"); });
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The saved form of a secret key: its id u64, then two bits per coefficient, c + 1, four to a byte.
#include <cstring>

#include "base/error.h"
#include "ckks/detail/frame.h"
#include "ckks/secret_key.h"
#include "ring/rns.h"

namespace sinter::ckks {

std::vector<std::byte> save_secret_key(const Context& context, const SecretKey& secret) {
  require(secret.params_hash() == context.params().hash(), ErrorKind::bad_argument,
          "save_secret_key: the key belongs to other parameters");
  ring::RnsPoly first = secret.poly().clone(1);
  ring::ntt_inverse(context.ring().ntt(0), first.limb(0));
  constexpr size_t kIdBytes = sizeof(u64);
  const u64 id = secret.id();
  std::vector<std::byte> payload(kIdBytes + size_t(context.n() / 4), std::byte(0));
  std::memcpy(payload.data(), &id, kIdBytes);
  for (size_t i = 0; i < size_t(context.n()); ++i) {
    const u64 residue = first.limb(0)[i];
    const unsigned code = residue > 1 ? 0u : unsigned(residue) + 1;
    payload[kIdBytes + i / 4] |= std::byte(code << (2 * (i % 4)));
  }
  std::vector<std::byte> out = detail::seal(ObjectKind::secret_key, secret.params_hash(), payload);
  ring::wipe({reinterpret_cast<signed char*>(payload.data()), payload.size()});
  return out;
}

SecretKey load_secret_key(const Context& context, std::span<const std::byte> data,
                          const std::string& name) {
  const u64 hash = context.params().hash();
  ByteReader in = detail::open_whole(data, name, ObjectKind::secret_key, &hash);
  const u64 id = in.u64_();
  const std::span<const std::byte> payload = in.bytes(context.n() / 4);
  in.expect_end();
  std::vector<signed char> small(size_t(context.n()));
  bool is_valid = true;
  for (size_t i = 0; i < small.size(); ++i) {
    const unsigned code = unsigned(payload[i / 4]) >> (2 * (i % 4)) & 3;
    is_valid &= code != 3;
    small[i] = static_cast<signed char>(code == 3 ? 0 : int(code) - 1);
  }
  require(is_valid, ErrorKind::bad_input, name,
          ": expected coefficients of -1, 0 and 1, found another code");
  SecretKey key(context, small, id);
  ring::wipe(small);
  return key;
}

}  // namespace sinter::ckks

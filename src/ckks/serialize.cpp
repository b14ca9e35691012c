// SPDX-License-Identifier: Apache-2.0
// Parameters, ciphertexts and public keys. Evaluation keys are in serialize_keys.cpp.
#include "ckks/serialize.h"

#include <cmath>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/frame.h"
#include "ring/rns.h"
#include "ring/sampling.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

void write_poly(ByteWriter& out, const RnsPoly& poly) {
  for (int i = 0; i < poly.limbs(); ++i) detail::write_residues(out, poly.limb(i));
}

RnsPoly read_poly(ByteReader& in, const Context& context, int level) {
  const i64 bytes = checked_multiply(context.n() * i64(sizeof(u64)), level + 1, in.what());
  require(in.remaining() >= bytes, ErrorKind::bad_input, in.what(), ": expected ", bytes,
          " more bytes of residues, found ", in.remaining());
  RnsPoly poly = context.ring().make_poly(level + 1);
  for (int i = 0; i <= level; ++i)
    detail::read_residues(in, context.ring().modulus(i), poly.limb(i));
  return poly;
}

void write_seed(ByteWriter& out, const Seed& seed) { out.bytes(std::as_bytes(std::span(seed))); }

Seed read_seed(ByteReader& in) {
  Seed seed;
  for (u8& byte : seed) byte = in.u8_();
  return seed;
}

RnsPoly expand(const Context& context, const Seed& seed, int level) {
  RnsPoly poly = context.ring().make_poly(level + 1);
  for (int i = 0; i <= level; ++i)
    ring::uniform_residues(seed, 0, context.ring().modulus(i), poly.limb(i));
  return poly;
}

}  // namespace

std::vector<std::byte> save_params(const CkksParams& params) {
  ByteWriter payload;
  params.serialise(payload);
  return detail::seal(ObjectKind::params, params.hash(), payload.view());
}

CkksParams load_params(std::span<const std::byte> data, const std::string& name) {
  ByteReader in = detail::open_whole(data, name, ObjectKind::params, nullptr);
  CkksParams params = CkksParams::parse(in);
  in.expect_end();
  const u64 hash = params.hash();
  detail::open(data, name, ObjectKind::params, &hash);
  return params;
}

// payload: key id u64 | program u64 | level u32 | parts u32 | scale f64 | has seed u32 | 0 u32
//          | [seed 32] | residues
std::vector<std::byte> save_ciphertext(const Context& context, const Ciphertext& ciphertext) {
  detail::check_ciphertext(context, ciphertext, "save_ciphertext");
  const bool has_seed = ciphertext.seed().has_value();
  ByteWriter payload;
  payload.u64_(ciphertext.origin().key);
  payload.u64_(ciphertext.origin().program);
  payload.u32_(u32(ciphertext.level()));
  payload.u32_(u32(ciphertext.parts()));
  payload.f64_(ciphertext.scale());
  payload.u32_(has_seed);
  payload.u32_(0);
  if (has_seed) write_seed(payload, *ciphertext.seed());
  for (int i = 0; i < ciphertext.parts(); ++i)
    if (i != 1 || !has_seed) write_poly(payload, ciphertext.part(i));
  return detail::seal(ObjectKind::ciphertext, ciphertext.params_hash(), payload.view());
}

Ciphertext load_ciphertext(const Context& context, std::span<const std::byte> data,
                           const std::string& name) {
  const u64 hash = context.params().hash();
  ByteReader in = detail::open_whole(data, name, ObjectKind::ciphertext, &hash);
  Origin origin;
  origin.key = in.u64_();
  origin.program = in.u64_();
  const u32 level = in.u32_(), parts = in.u32_();
  const double scale = in.f64_();
  const u32 has_seed = in.u32_(), reserved = in.u32_();
  require(level <= u32(context.max_level()), ErrorKind::bad_input, name,
          ": expected a level of 0 to ", context.max_level(), ", found ", level);
  require((parts == 2 || parts == 3) && has_seed <= 1 && reserved == 0 &&
              !(has_seed == 1 && parts == 3),
          ErrorKind::bad_input, name, ": expected 2 parts, or 3 without seed, found ", parts,
          " with seed flag ", has_seed);
  require(std::isfinite(scale) && scale >= 1 && scale <= 0x1p1000, ErrorKind::bad_input, name,
          ": expected a scale of 1 to 2^1000, found ", scale);
  std::optional<Seed> seed;
  if (has_seed == 1) seed = read_seed(in);
  std::vector<RnsPoly> polys;
  for (u32 i = 0; i < parts; ++i)
    polys.push_back(i == 1 && seed ? expand(context, *seed, int(level))
                                   : read_poly(in, context, int(level)));
  in.expect_end();
  Ciphertext ciphertext(std::move(polys), scale, int(level), hash, seed);
  ciphertext.set_origin(origin);
  return ciphertext;
}

std::vector<std::byte> save_public_key(const Context& context, const PublicKey& key) {
  require(key.params_hash == context.params().hash(), ErrorKind::bad_argument,
          "save_public_key: the key belongs to other parameters");
  ByteWriter payload;
  payload.u64_(key.key_id);
  write_seed(payload, key.seed);
  write_poly(payload, key.b);
  return detail::seal(ObjectKind::public_key, key.params_hash, payload.view());
}

PublicKey load_public_key(const Context& context, std::span<const std::byte> data,
                          const std::string& name) {
  const u64 hash = context.params().hash();
  ByteReader in = detail::open_whole(data, name, ObjectKind::public_key, &hash);
  PublicKey key;
  key.params_hash = hash;
  key.key_id = in.u64_();
  key.seed = read_seed(in);
  key.b = read_poly(in, context, context.max_level());
  in.expect_end();
  key.a = expand(context, key.seed, context.max_level());
  return key;
}

}  // namespace sinter::ckks

// SPDX-License-Identifier: Apache-2.0
// The header of saved objects (ckks/serialize.h) and the residues inside them.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "ckks/context.h"
#include "ckks/serialize.h"
#include "ring/modulus.h"
#include "ring/poly.h"

namespace sinter::ckks::detail {

inline constexpr i64 kHeaderBytes = 64;

/// Header and payload.
std::vector<std::byte> seal(ObjectKind kind, u64 params_hash, std::span<const std::byte> payload);
/// Header alone, for a payload that is written piece by piece.
std::vector<std::byte> make_header(ObjectKind kind, u64 params_hash, i64 payload_bytes,
                                   const Digest& digest);

struct Frame {
  u64 params_hash;
  std::span<const std::byte> payload;
  std::span<const std::byte> rest;  ///< what follows the payload
};

/// Checks the header and the payload's digest. params_hash: the one expected, or nullptr to accept
/// any.
Frame open(std::span<const std::byte> data, const std::string& name, ObjectKind kind,
           const u64* params_hash);
/// The same for objects that are nothing but header and payload.
ByteReader open_whole(std::span<const std::byte> data, const std::string& name, ObjectKind kind,
                      const u64* params_hash);

/// Is the SHA-256 of `data` these 32 bytes?
bool has_digest(std::span<const std::byte> data, std::span<const std::byte> digest);

void write_residues(ByteWriter& out, std::span<const u64> residues);
/// Fills `out`; each residue must be below q.
void read_residues(ByteReader& in, const ring::Modulus& q, std::span<u64> out);

}  // namespace sinter::ckks::detail

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "ckks/detail/frame.h"

namespace sinter::ckks::detail {
namespace {

constexpr char kMagic[] = "SNTRCKKS";
constexpr u32 kVersion = 1;

std::string kind_name(u32 kind) {
  switch (ObjectKind(kind)) {
    case ObjectKind::params:
      return "parameters";
    case ObjectKind::ciphertext:
      return "a ciphertext";
    case ObjectKind::evaluation_keys:
      return "evaluation keys";
    case ObjectKind::public_key:
      return "a public key";
    case ObjectKind::secret_key:
      return "a secret key";
    case ObjectKind::expanded_keys:
      return "expanded evaluation keys";
    case ObjectKind::bundle:
      return "a file of ciphertexts";
  }
  return "an object of unknown kind " + std::to_string(kind);
}

}  // namespace

std::vector<std::byte> make_header(ObjectKind kind, u64 params_hash, i64 payload_bytes,
                                   const Digest& digest) {
  ByteWriter out;
  out.bytes(std::as_bytes(std::span(kMagic, 8)));
  out.u32_(kVersion);
  out.u32_(u32(kind));
  out.u64_(params_hash);
  out.i64_(payload_bytes);
  out.bytes(std::as_bytes(std::span(digest)));
  SINTER_ASSERT(out.size() == kHeaderBytes);
  return out.take();
}

std::vector<std::byte> seal(ObjectKind kind, u64 params_hash, std::span<const std::byte> payload) {
  std::vector<std::byte> out = make_header(kind, params_hash, std::ssize(payload), sha256(payload));
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

Frame open(std::span<const std::byte> data, const std::string& name, ObjectKind kind,
           const u64* params_hash) {
  require(std::ssize(data) >= kHeaderBytes && std::memcmp(data.data(), kMagic, 8) == 0,
          ErrorKind::bad_input, name, ": expected ", kind_name(u32(kind)),
          ", found no sinter header (", data.size(), " bytes)");
  ByteReader in(data, name);
  in.bytes(8);
  const u32 version = in.u32_();
  require(version == kVersion, ErrorKind::bad_input, name, ": expected format version ", kVersion,
          ", found ", version);
  const u32 found = in.u32_();
  require(found == u32(kind), ErrorKind::bad_input, name, ": expected ", kind_name(u32(kind)),
          ", found ", kind_name(found));
  Frame frame{in.u64_(), {}, {}};
  require(params_hash == nullptr || *params_hash == frame.params_hash, ErrorKind::bad_input, name,
          ": made for other parameters: expected hash ", std::hex,
          params_hash == nullptr ? 0 : *params_hash, ", found ", frame.params_hash);
  const i64 size = in.i64_();
  const std::span<const std::byte> digest = in.bytes(32);
  require(size >= 0 && size <= in.remaining(), ErrorKind::bad_input, name,
          ": truncated: the header announces ", size, " bytes, found ", in.remaining());
  frame.payload = in.bytes(size);
  frame.rest = data.subspan(size_t(in.position()));
  require(has_digest(frame.payload, digest), ErrorKind::bad_input, name,
          ": damaged: the checksum does not match");
  return frame;
}

ByteReader open_whole(std::span<const std::byte> data, const std::string& name, ObjectKind kind,
                      const u64* params_hash) {
  const Frame frame = open(data, name, kind, params_hash);
  require(frame.rest.empty(), ErrorKind::bad_input, name, ": ", frame.rest.size(),
          " bytes follow the end");
  return ByteReader(frame.payload, name);
}

bool has_digest(std::span<const std::byte> data, std::span<const std::byte> digest) {
  const Digest found = sha256(data);
  return std::ranges::equal(digest, std::as_bytes(std::span(found)));
}

void write_residues(ByteWriter& out, std::span<const u64> residues) {
  out.bytes(std::as_bytes(residues));  // little-endian, as everything this runs on
}

void read_residues(ByteReader& in, const ring::Modulus& q, std::span<u64> out) {
  const std::span<const std::byte> bytes = in.bytes(std::ssize(out) * i64(sizeof(u64)));
  u64 largest = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    std::memcpy(&out[i], bytes.data() + i * sizeof(u64), sizeof(u64));
    largest = std::max(largest, out[i]);
  }
  require(largest < q.value(), ErrorKind::bad_input, in.what(),
          ": expected residues below the prime ", q.value(), ", found ", largest);
}

}  // namespace sinter::ckks::detail

namespace sinter::ckks {

ObjectKind kind_of(std::span<const std::byte> data, const std::string& name) {
  ByteReader in(data, name);
  require(std::ssize(data) >= detail::kHeaderBytes &&
              std::memcmp(in.bytes(8).data(), detail::kMagic, 8) == 0,
          ErrorKind::bad_input, name, ": expected a sinter header, found none (", data.size(),
          " bytes)");
  in.u32_();
  return ObjectKind(in.u32_());
}

}  // namespace sinter::ckks

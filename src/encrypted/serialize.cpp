// SPDX-License-Identifier: Apache-2.0
// Layout: docs/format.md. A 64-byte header (magic, version, payload length, parameter hash, SHA-256
// of the payload), then the payload. Instructions and runs are fixed records on 8-byte boundaries.
#include "encrypted/serialize.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/hash.h"
#include "encrypted/check.h"
#include "encrypted/detail/program_records.h"

namespace sinter::encrypted {
namespace {

constexpr char kMagic[] = "SNTRPROG";
constexpr u32 kVersion = 2;
constexpr i64 kHeaderBytes = 64, kLayerBytes = 32;

void write_dims(ByteWriter& out, const Dims& dims) {
  out.i64_(std::ssize(dims));
  for (i64 d : dims) out.i64_(d);
}

Dims read_dims(ByteReader& in) {
  Dims dims(size_t(in.count(8, 16)));
  for (i64& d : dims) d = in.i64_();
  return dims;
}

void write_numbers(ByteWriter& out, std::span<const i32> numbers) {
  out.i64_(std::ssize(numbers));
  for (i32 v : numbers) out.u32_(u32(v));
  out.align(8);
}

std::vector<i32> read_numbers(ByteReader& in) {
  std::vector<i32> numbers(size_t(in.count(4)));
  for (i32& v : numbers) v = i32(in.u32_());
  in.align(8);
  return numbers;
}

void write_text(ByteWriter& out, std::string_view text) {
  out.text(text);
  out.align(8);
}

std::string read_text(ByteReader& in) {
  std::string text = in.text();
  in.align(8);
  return text;
}

/// Parameters, keys, inputs and output: everything in front of the layers.
void write_interface(ByteWriter& out, const EncryptedProgram& p) {
  p.params.serialise(out);
  out.align(8);
  p.keys.serialise(out);
  out.align(8);
  write_text(out, p.input_name);
  write_text(out, p.output_name);
  write_dims(out, p.input_dims);
  write_dims(out, p.output_dims);
  out.f64_(p.input_limit);
  out.f64_(p.output_limit);
  out.i64_(p.batch);
  out.i64_(p.input_count());
  for (const std::vector<i32>& elements : p.input_elements) write_numbers(out, elements);
  write_numbers(out, p.output_slots);
}

void write_layer(ByteWriter& out, const Layer& layer) {
  write_text(out, layer.name);
  write_text(out, layer.op);
  out.f64_(layer.range);
  out.f64_(layer.error);
}

std::vector<std::byte> payload_of(const EncryptedProgram& p) {
  ByteWriter out;
  write_interface(out, p);
  out.i64_(std::ssize(p.layers));
  for (const Layer& layer : p.layers) write_layer(out, layer);
  out.i64_(std::ssize(p.instructions));
  for (const Instruction& i : p.instructions) detail::write_instruction(out, i);
  out.i64_(std::ssize(p.maps));
  for (const LinearMap& map : p.maps) detail::write_map(out, map);
  out.i64_(std::ssize(p.vectors));
  for (const SlotVector& v : p.vectors) detail::write_vector(out, v);
  out.i64_(std::ssize(p.bootstraps));
  for (const ckks::BootstrapOptions& o : p.bootstraps) detail::write_bootstrap(out, o);
  out.i64_(i64(p.metadata.size()));
  for (const auto& [key, value] : p.metadata) {
    write_text(out, key);
    write_text(out, value);
  }
  return out.take();
}

EncryptedProgram read_interface(ByteReader& in) {
  EncryptedProgram p(ckks::CkksParams::parse(in));
  in.align(8);
  p.keys = ckks::KeyManifest::parse(in, p.params);
  in.align(8);
  p.input_name = read_text(in);
  p.output_name = read_text(in);
  p.input_dims = read_dims(in);
  p.output_dims = read_dims(in);
  p.input_limit = in.f64_();
  p.output_limit = in.f64_();
  p.batch = in.i64_();
  for (i64 k = in.count(8); k > 0; --k) p.input_elements.push_back(read_numbers(in));
  p.output_slots = read_numbers(in);
  return p;
}

Layer read_layer(ByteReader& in) {
  Layer layer;
  layer.name = read_text(in);
  layer.op = read_text(in);
  layer.range = in.f64_();
  layer.error = in.f64_();
  require(layer.error >= 0, ErrorKind::bad_input, in.what(), ": expected an error of layer \"",
          layer.name, "\" of at least 0, found ", layer.error);
  return layer;
}

EncryptedProgram read_payload(ByteReader& in) {
  EncryptedProgram p = read_interface(in);
  for (i64 k = in.count(kLayerBytes); k > 0; --k) p.layers.push_back(read_layer(in));
  for (i64 k = in.count(detail::kInstructionBytes); k > 0; --k)
    p.instructions.push_back(detail::read_instruction(in));
  for (i64 k = in.count(detail::kMapBytes); k > 0; --k) p.maps.push_back(detail::read_map(in));
  for (i64 k = in.count(detail::kVectorBytes); k > 0; --k)
    p.vectors.push_back(detail::read_vector(in));
  for (i64 k = in.count(detail::kBootstrapBytes); k > 0; --k)
    p.bootstraps.push_back(detail::read_bootstrap(in));
  for (i64 k = in.count(16); k > 0; --k) {
    std::string key = read_text(in);
    require(p.metadata.empty() || p.metadata.rbegin()->first < key, ErrorKind::bad_input, in.what(),
            ": metadata keys do not ascend");
    p.metadata[std::move(key)] = read_text(in);
  }
  in.expect_end();
  return p;
}

/// The payload behind a header that fits it.
std::span<const std::byte> checked_payload(std::span<const std::byte> data, u64& params_hash,
                                           const std::string& name) {
  require(std::ssize(data) >= kHeaderBytes && std::memcmp(data.data(), kMagic, 8) == 0,
          ErrorKind::bad_input, name, ": expected a compiled program, found no such header (",
          data.size(), " bytes)");
  ByteReader header(data.first(size_t(kHeaderBytes)), name);
  header.bytes(8);
  const u32 version = header.u32_();
  require(version == kVersion, ErrorKind::bad_input, name, ": expected program version ", kVersion,
          ", found ", version,
          version < kVersion ? "; compile the model again" : "; a newer sinter wrote it");
  require(header.u32_() == 0, ErrorKind::bad_input, name, ": unknown flags");
  const i64 length = header.i64_();
  params_hash = header.u64_();
  const std::span<const std::byte> payload = data.subspan(size_t(kHeaderBytes));
  require(length == std::ssize(payload), ErrorKind::bad_input, name, ": expected ", length,
          " bytes after the header, found ", payload.size());
  const Digest digest = sha256(payload);
  require(std::equal(digest.begin(), digest.end(),
                     reinterpret_cast<const u8*>(header.bytes(32).data())),
          ErrorKind::bad_input, name, ": the checksum does not fit; the file is damaged");
  return payload;
}

}  // namespace

std::vector<std::byte> save_program(const EncryptedProgram& program) {
  const std::vector<std::byte> payload = payload_of(program);
  ByteWriter out;
  out.bytes(std::as_bytes(std::span(kMagic, 8)));
  out.u32_(kVersion);
  out.u32_(0);
  out.i64_(std::ssize(payload));
  out.u64_(program.params.hash());
  const Digest digest = sha256(payload);
  out.bytes(std::as_bytes(std::span(digest)));
  SINTER_ASSERT(out.size() == kHeaderBytes);
  out.bytes(payload);
  return out.take();
}

std::shared_ptr<const EncryptedProgram> load_program(std::span<const std::byte> data,
                                                     const std::string& name) {
  u64 params_hash = 0;
  const std::span<const std::byte> payload = checked_payload(data, params_hash, name);
  ByteReader in(payload, name);
  EncryptedProgram program = read_payload(in);
  require(program.params.hash() == params_hash, ErrorKind::bad_input, name,
          ": header and program name different parameters");
  try {
    check(program);
  } catch (const Error& error) {
    fail(ErrorKind::bad_input, name, ": ", error.what());
  }
  program.hash = short_hash(payload);
  return std::make_shared<const EncryptedProgram>(std::move(program));
}

u64 program_hash(const EncryptedProgram& program) { return short_hash(payload_of(program)); }

}  // namespace sinter::encrypted

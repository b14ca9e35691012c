// SPDX-License-Identifier: Apache-2.0
// Layout: docs/format.md. A 64-byte header (magic, version, payload length, parameter hash, SHA-256
// of the payload), then the payload. Instructions and runs are fixed records on 8-byte boundaries.
#include "encrypted/serialize.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/hash.h"
#include "encrypted/check.h"

namespace sinter::encrypted {
namespace {

constexpr char kMagic[] = "SNTRPROG";
constexpr u32 kVersion = 2;
constexpr i64 kHeaderBytes = 64, kInstructionBytes = 64, kRunBytes = 16, kPatternBytes = 24,
              kBootstrapBytes = 48;

void write_patterns(ByteWriter& out, const Patterns& patterns) {
  out.i64_(std::ssize(patterns));
  for (const Pattern& p : patterns)
    for (u32 field : {p.length, p.count0, p.stride0, p.count1, p.stride1, u32(0)}) out.u32_(field);
}

std::shared_ptr<const Patterns> read_patterns(ByteReader& in) {
  Patterns patterns(size_t(in.count(kPatternBytes)));
  for (Pattern& p : patterns) {
    for (u32* field : {&p.length, &p.count0, &p.stride0, &p.count1, &p.stride1}) *field = in.u32_();
    require(in.u32_() == 0, ErrorKind::bad_input, in.what(), ": reserved bytes are not zero");
  }
  return std::make_shared<const Patterns>(std::move(patterns));
}

void write_runs(ByteWriter& out, const SlotVector& v) {
  out.i64_(std::ssize(v.runs));
  for (const Run& run : v.runs) {
    out.u32_(run.start);
    out.u32_(run.pattern);
    out.f64_(run.value);
  }
}

SlotVector read_runs(ByteReader& in, i64 period, const std::shared_ptr<const Patterns>& patterns) {
  SlotVector v{period, std::vector<Run>(size_t(in.count(kRunBytes))), patterns};
  for (Run& run : v.runs) {
    run.start = in.u32_();
    run.pattern = in.u32_();
    run.value = in.f64_();
  }
  return v;
}

void write_vector(ByteWriter& out, const SlotVector& v) {
  out.i64_(v.period);
  write_patterns(out, *v.patterns);
  write_runs(out, v);
}

SlotVector read_vector(ByteReader& in) {
  const i64 period = in.i64_();
  const auto patterns = read_patterns(in);
  return read_runs(in, period, patterns);
}

void write_map(ByteWriter& out, const LinearMap& map) {
  out.i64_(map.in_period);
  out.i64_(map.out_period);
  out.i64_(map.baby_count);
  out.i64_(i64(map.form));
  out.i64_(std::ssize(map.indices));
  for (i64 index : map.indices) out.i64_(index);
  write_patterns(out, map.rows.empty() ? Patterns() : *map.rows[0].patterns);
  for (const SlotVector& row : map.rows) write_runs(out, row);
}

LinearMap read_map(ByteReader& in) {
  LinearMap map;
  map.in_period = in.i64_();
  map.out_period = in.i64_();
  map.baby_count = in.i64_();
  const i64 form = in.i64_();
  require(form == i64(ckks::GiantForm::separate) || form == i64(ckks::GiantForm::horner),
          ErrorKind::bad_input, in.what(), ": unknown form of a linear map ", form);
  map.form = ckks::GiantForm(form);
  const i64 count = in.count(8 + 8);
  map.indices.reserve(size_t(count));
  for (i64 k = 0; k < count; ++k) map.indices.push_back(in.i64_());
  const auto patterns = read_patterns(in);
  map.rows.reserve(size_t(count));
  for (i64 k = 0; k < count; ++k) map.rows.push_back(read_runs(in, map.period(), patterns));
  return map;
}

void write_instruction(ByteWriter& out, const Instruction& i) {
  out.u32_(u32(i.op));
  for (i32 v : {i.layer, i.a, i.b, i.table, i32(i.level)}) out.u32_(u32(v));
  out.i64_(i.steps);
  out.f64_(i.plain_scale);
  out.f64_(i.scale);
  out.i64_(i.period);
  out.i64_(0);
}

Instruction read_instruction(ByteReader& in) {
  Instruction i;
  const u32 op = in.u32_();
  require(op < u32(kOpcodeCount), ErrorKind::bad_input, in.what(), ": unknown operation ", op);
  i.op = Opcode(op);
  i.layer = i32(in.u32_());
  i.a = i32(in.u32_());
  i.b = i32(in.u32_());
  i.table = i32(in.u32_());
  i.level = i32(in.u32_());
  i.steps = in.i64_();
  i.plain_scale = in.f64_();
  i.scale = in.f64_();
  i.period = in.i64_();
  require(in.i64_() == 0, ErrorKind::bad_input, in.what(), ": reserved bytes are not zero");
  return i;
}

void write_bootstrap(ByteWriter& out, const ckks::BootstrapOptions& o) {
  out.i64_(o.slots);
  out.f64_(o.output_scale);
  for (int v : {o.target_level, o.log_message_ratio, o.arcsine_degree, o.double_angles, o.range,
                o.to_slots_levels, o.to_coefficients_levels, o.raise_level})
    out.u32_(u32(v));
}

ckks::BootstrapOptions read_bootstrap(ByteReader& in) {
  ckks::BootstrapOptions o;
  o.slots = in.i64_();
  o.output_scale = in.f64_();
  for (int* v : {&o.target_level, &o.log_message_ratio, &o.arcsine_degree, &o.double_angles,
                 &o.range, &o.to_slots_levels, &o.to_coefficients_levels, &o.raise_level})
    *v = int(in.u32_());
  return o;
}

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

std::vector<std::byte> payload_of(const EncryptedProgram& p) {
  ByteWriter out;
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
  out.i64_(std::ssize(p.layers));
  for (const Layer& layer : p.layers) {
    write_text(out, layer.name);
    write_text(out, layer.op);
    out.f64_(layer.range);
    out.f64_(layer.error);
  }
  out.i64_(std::ssize(p.instructions));
  for (const Instruction& i : p.instructions) write_instruction(out, i);
  out.i64_(std::ssize(p.maps));
  for (const LinearMap& map : p.maps) write_map(out, map);
  out.i64_(std::ssize(p.vectors));
  for (const SlotVector& v : p.vectors) write_vector(out, v);
  out.i64_(std::ssize(p.bootstraps));
  for (const ckks::BootstrapOptions& o : p.bootstraps) write_bootstrap(out, o);
  out.i64_(i64(p.metadata.size()));
  for (const auto& [key, value] : p.metadata) {
    write_text(out, key);
    write_text(out, value);
  }
  return out.take();
}

EncryptedProgram read_payload(ByteReader& in) {
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
  for (i64 k = in.count(32); k > 0; --k) {
    Layer layer;
    layer.name = read_text(in);
    layer.op = read_text(in);
    layer.range = in.f64_();
    layer.error = in.f64_();
    require(layer.error >= 0, ErrorKind::bad_input, in.what(), ": expected an error of layer \"",
            layer.name, "\" of at least 0, found ", layer.error);
    p.layers.push_back(std::move(layer));
  }
  for (i64 k = in.count(kInstructionBytes); k > 0; --k)
    p.instructions.push_back(read_instruction(in));
  for (i64 k = in.count(48); k > 0; --k) p.maps.push_back(read_map(in));
  for (i64 k = in.count(24); k > 0; --k) p.vectors.push_back(read_vector(in));
  for (i64 k = in.count(kBootstrapBytes); k > 0; --k) p.bootstraps.push_back(read_bootstrap(in));
  for (i64 k = in.count(16); k > 0; --k) {
    std::string key = read_text(in);
    require(p.metadata.empty() || p.metadata.rbegin()->first < key, ErrorKind::bad_input, in.what(),
            ": metadata keys do not ascend");
    p.metadata[std::move(key)] = read_text(in);
  }
  in.expect_end();
  return p;
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
  const u64 params_hash = header.u64_();
  const std::span<const std::byte> payload = data.subspan(size_t(kHeaderBytes));
  require(length == std::ssize(payload), ErrorKind::bad_input, name, ": expected ", length,
          " bytes after the header, found ", payload.size());
  const Digest digest = sha256(payload);
  require(std::equal(digest.begin(), digest.end(),
                     reinterpret_cast<const u8*>(header.bytes(32).data())),
          ErrorKind::bad_input, name, ": the checksum does not fit; the file is damaged");
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

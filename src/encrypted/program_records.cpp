// SPDX-License-Identifier: Apache-2.0
#include "encrypted/detail/program_records.h"

namespace sinter::encrypted::detail {
namespace {

constexpr i64 kRunBytes = 16, kPatternBytes = 24;

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

}  // namespace

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

}  // namespace sinter::encrypted::detail

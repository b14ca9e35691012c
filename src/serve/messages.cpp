// SPDX-License-Identifier: Apache-2.0
#include "serve/messages.h"

#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "ring/rns.h"

namespace sinter::serve {
namespace {

using ring::RnsPoly;

constexpr i64 kValueHeaderBytes = 24, kMaxText = 4096;
constexpr double kScaleTolerance = 1e-9;  // relative

std::shared_ptr<const Payload> encode(const ckks::Context& context, const ValueHeader& header,
                                      std::initializer_list<const RnsPoly*> polys) {
  const i64 limb = context.n() * i64(sizeof(u64));
  i64 limbs = 0;
  for (const RnsPoly* poly : polys) limbs += poly->limbs();
  const auto out = std::make_shared<Payload>(kValueHeaderBytes + limbs * limb);
  ByteWriter head;
  head.u32_(header.value);
  head.u32_(header.part);
  head.u32_(u32(header.level));
  head.u32_(u32(polys.size()));
  head.f64_(header.scale);
  std::byte* at = out->bytes().data();
  std::memcpy(at, head.view().data(), size_t(kValueHeaderBytes));
  at += kValueHeaderBytes;
  for (const RnsPoly* poly : polys)
    for (int i = 0; i < poly->limbs(); ++i, at += limb)
      std::memcpy(at, poly->limb(i).data(), size_t(limb));
  return out;
}

ValueHeader parse_header(ByteReader& in, const encrypted::EncryptedProgram& program,
                         const Frame& frame) {
  ValueHeader h;
  h.value = in.u32_();
  h.part = in.u32_();
  h.level = int(in.u32_());
  h.polynomials = int(in.u32_());
  h.scale = in.f64_();
  const i64 count = std::ssize(program.instructions);
  require(i64(h.value) < count, ErrorKind::bad_input, in.what(), ": expected a value below ", count,
          ", found ", h.value);
  const encrypted::Instruction& i = program.instructions[h.value];
  const bool is_part = frame.info.kind == FrameKind::part;
  require(is_part ? i.op == encrypted::Opcode::linear && h.part != kNoPart : h.part == kNoPart,
          ErrorKind::bad_input, in.what(), ": expected ",
          is_part ? "a part of a linear map" : "a whole value", ", found value ", h.value,
          ", part ", h.part);
  require(h.polynomials == 2 && h.level == i.level, ErrorKind::bad_input, in.what(), ": value ",
          h.value, ": expected two polynomials of level ", i.level, ", found ", h.polynomials,
          " of level ", h.level);
  require(std::abs(h.scale - i.scale) <= kScaleTolerance * i.scale, ErrorKind::bad_input, in.what(),
          ": value ", h.value, ": expected scale ", i.scale, ", found ", h.scale);
  return h;
}

/// Reads the residues of a value, with get(polynomial, limb) as the memory for each limb.
template <class Get>
void read_residues(ByteReader& in, const ckks::Context& context, const ValueHeader& h, int limbs,
                   const Get& get) {
  const i64 limb_bytes = context.n() * i64(sizeof(u64));
  require(in.remaining() == h.polynomials * limbs * limb_bytes, ErrorKind::bad_input, in.what(),
          ": value ", h.value, ": expected ", h.polynomials * limbs * limb_bytes,
          " bytes of residues, found ", in.remaining());
  for (int p = 0; p < h.polynomials; ++p)
    for (int i = 0; i < limbs; ++i) {
      const std::span<const std::byte> bytes = in.bytes(limb_bytes);
      u64* const out = get(p, i);
      std::memcpy(out, bytes.data(), size_t(limb_bytes));
      const u64 q = context.ring().limb_modulus(h.level, i).value();
      u64 largest = 0;
      for (i64 k = 0; k < context.n(); ++k) largest = std::max(largest, out[k]);
      require(largest < q, ErrorKind::bad_input, in.what(), ": value ", h.value,
              ": expected residues below the prime ", q, ", found ", largest);
    }
}

int limbs_of(const ckks::Context& context, const ValueHeader& h) {
  return h.level + 1 + (h.part == kNoPart ? 0 : context.ring().special_count());
}

std::pair<ValueHeader, std::vector<RnsPoly>> decode(const ckks::Context& context,
                                                    const encrypted::EncryptedProgram& program,
                                                    const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  const ValueHeader h = parse_header(in, program, frame);
  const int limbs = limbs_of(context, h);
  std::vector<RnsPoly> polys;
  for (int p = 0; p < h.polynomials; ++p) polys.push_back(context.ring().make_poly(limbs));
  read_residues(in, context, h, limbs,
                [&](int p, int i) { return polys[size_t(p)].limb(i).data(); });
  return {h, std::move(polys)};
}

Frame small_frame(FrameInfo info, FrameKind kind, const ByteWriter& payload) {
  info.kind = kind;
  return make_frame(info, payload.view());
}

}  // namespace

i64 max_payload(const ckks::CkksParams& params) {
  const i64 limbs = std::ssize(params.q()) + std::ssize(params.p());
  return std::max(kValueHeaderBytes + 2 * limbs * params.n() * i64(sizeof(u64)), i64(1) << 20);
}

std::shared_ptr<const Payload> encode_value(const ckks::Context& context, u32 value,
                                            const ckks::Ciphertext& x) {
  SINTER_ASSERT(x.parts() == 2);
  return encode(context, {value, kNoPart, x.level(), 2, x.scale()}, {&x.part(0), &x.part(1)});
}

std::shared_ptr<const Payload> encode_part(const ckks::Context& context, u32 value, u32 part,
                                           const ckks::ExtendedCiphertext& x) {
  return encode(context, {value, part, x.level, 2, x.scale}, {&x.c0, &x.c1});
}

ValueHeader check_value(const ckks::Context& context, const encrypted::EncryptedProgram& program,
                        const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  const ValueHeader h = parse_header(in, program, frame);
  std::vector<u64> limb(size_t(context.n()));
  read_residues(in, context, h, limbs_of(context, h), [&](int, int) { return limb.data(); });
  return h;
}

ValueHeader check_header(const encrypted::EncryptedProgram& program, const Frame& frame,
                         const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  return parse_header(in, program, frame);
}

ckks::Ciphertext decode_value(const ckks::Context& context,
                              const encrypted::EncryptedProgram& program, const Frame& frame,
                              const std::string& peer) {
  auto [h, polys] = decode(context, program, frame, peer);
  return {std::move(polys), h.scale, h.level, context.params().hash()};
}

ckks::ExtendedCiphertext decode_part(const ckks::Context& context,
                                     const encrypted::EncryptedProgram& program, const Frame& frame,
                                     const std::string& peer) {
  auto [h, polys] = decode(context, program, frame, peer);
  return {std::move(polys[0]), std::move(polys[1]), h.level, h.scale, context.params().hash()};
}

Frame task_frame(const FrameInfo& info, const Task& task) {
  ByteWriter out;
  out.u64_(task.id);
  out.u32_(u32(task.kind));
  out.u32_(u32(task.segment));
  out.i64_(task.from);
  out.i64_(task.to);
  out.u32_(u32(task.part));
  out.u32_(u32(task.parts));
  return small_frame(info, FrameKind::task, out);
}

Task parse_task(const Frame& frame, i64 segments, const std::string& peer) {
  constexpr i64 kMaxGiants = i64(1) << 20;
  ByteReader in(frame.payload->bytes(), peer);
  Task task;
  task.id = in.u64_();
  const u32 kind = in.u32_();
  task.segment = i32(in.u32_());
  task.from = in.i64_();
  task.to = in.i64_();
  task.part = i32(in.u32_());
  task.parts = i32(in.u32_());
  in.expect_end();
  task.request = i64(frame.info.request);
  require(kind <= u32(TaskKind::finish) && task.segment >= 0 && task.segment < segments &&
              task.from >= 0 && task.to >= task.from && task.to <= kMaxGiants && task.part >= 0 &&
              task.parts >= 0 && task.parts <= kMaxGiants,
          ErrorKind::bad_input, peer, ": expected a task of this program, found kind ", kind,
          ", segment ", task.segment);
  task.kind = TaskKind(kind);
  return task;
}

Frame done_frame(FrameInfo info, const Done& done) {
  ByteWriter out;
  out.u64_(done.id);
  out.f64_(done.seconds);
  return small_frame(info, FrameKind::done, out);
}

Done parse_done(const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  const u64 id = in.u64_();
  const double seconds = in.f64_();
  in.expect_end();
  return {id, seconds};
}

Frame failed_frame(FrameInfo info, const Error& error) {
  ByteWriter out;
  out.u32_(u32(error.kind()));
  out.text(std::string_view(error.what()).substr(0, size_t(kMaxText)));
  return small_frame(info, FrameKind::failed, out);
}

Error parse_failed(const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  const u32 kind = in.u32_();
  const std::string text = in.text(kMaxText);
  in.expect_end();
  require(kind <= u32(ErrorKind::internal), ErrorKind::bad_input, peer,
          ": expected a kind of error up to ", u32(ErrorKind::internal), ", found ", kind);
  return {ErrorKind(kind), peer + ": " + text};
}

Frame hello_frame(FrameInfo info, const Hello& hello) {
  ByteWriter out;
  out.u64_(hello.params);
  out.u32_(hello.threads);
  return small_frame(info, FrameKind::hello, out);
}

Hello parse_hello(const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  const u64 params = in.u64_();
  const u32 threads = in.u32_();
  in.expect_end();
  return {params, threads};
}

Frame release_frame(FrameInfo info, std::span<const i32> values) {
  ByteWriter out;
  out.i64_(std::ssize(values));
  for (i32 v : values) out.u32_(u32(v));
  return small_frame(info, FrameKind::release, out);
}

std::vector<i32> parse_release(const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  std::vector<i32> values(size_t(in.count(4)));
  for (i32& v : values) v = i32(in.u32_());
  in.expect_end();
  return values;
}

}  // namespace sinter::serve

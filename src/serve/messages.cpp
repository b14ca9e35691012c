// SPDX-License-Identifier: Apache-2.0
#include "serve/messages.h"

#include <cmath>

#include "base/bytes.h"
#include "ring/rns.h"

namespace sinter::serve {
namespace {

using ring::RnsPoly;

constexpr i64 kValueHeaderBytes = 32, kMaxText = 4096;
constexpr double kScaleTolerance = 1e-9;  // relative

/// The header, then the limbs as they lie in the polynomials of `owner`.
std::shared_ptr<const Payload> encode(const ValueHeader& header,
                                      const std::vector<const RnsPoly*>& polys,
                                      std::shared_ptr<const void> owner) {
  ByteWriter head;
  head.u32_(header.value);
  head.u32_(header.part);
  head.u32_(u32(header.level));
  head.u32_(u32(header.first_limb));
  head.u32_(u32(polys[0]->limbs()));
  head.u32_(u32(polys.size()));
  head.f64_(header.scale);
  SINTER_ASSERT(head.size() == kValueHeaderBytes);
  std::vector<Payload::Piece> limbs;
  for (const RnsPoly* poly : polys)
    for (int i = 0; i < poly->limbs(); ++i) limbs.push_back(std::as_bytes(poly->limb(i)));
  return std::make_shared<const Payload>(head.view(), limbs, std::move(owner));
}

ValueHeader parse_header(ByteReader& in, const encrypted::EncryptedProgram& program,
                         const Frame& frame) {
  ValueHeader h;
  h.value = in.u32_();
  h.part = in.u32_();
  h.level = int(in.u32_());
  h.first_limb = int(in.u32_());
  h.limbs = int(in.u32_());
  h.polynomials = int(in.u32_());
  h.scale = in.f64_();
  const i64 count = std::ssize(program.instructions);
  require(i64(h.value) < count, ErrorKind::bad_input, in.what(), ": expected a value below ", count,
          ", found ", h.value);
  const encrypted::Instruction& i = program.instructions[h.value];
  const bool is_part = frame.info.kind == FrameKind::part;
  const std::optional<PartId> id = is_part ? PartId::of(h.part) : std::nullopt;
  require(is_part ? i.op == encrypted::Opcode::linear && id : h.part == kNoPart,
          ErrorKind::bad_input, in.what(), ": expected ",
          is_part ? "a part of a linear map" : "a whole value", ", found value ", h.value,
          ", part ", h.part);
  const int all = i.level + 1 + (is_part ? int(program.params.p().size()) : 0);
  const bool is_all = !id || id->kind == PartKind::giants;
  const int polynomials = id && id->kind == PartKind::row ? 1 : 2;
  require(h.polynomials == polynomials && h.level == i.level, ErrorKind::bad_input, in.what(),
          ": value ", h.value, ": expected ",
          polynomials == 1 ? "one polynomial" : "two polynomials", " of level ", i.level,
          ", found ", h.polynomials, " of level ", h.level);
  require(h.limbs >= 1 && h.limbs <= all && h.first_limb == (id ? id->limb : 0) &&
              h.first_limb <= all - h.limbs && (!is_all || h.limbs == all),
          ErrorKind::bad_input, in.what(), ": value ", h.value, ": expected ",
          is_all ? "all of " : "some of ", all, " limbs, found ", h.limbs, " from ", h.first_limb);
  require(std::abs(h.scale - i.scale) <= kScaleTolerance * i.scale, ErrorKind::bad_input, in.what(),
          ": value ", h.value, ": expected scale ", i.scale, ", found ", h.scale);
  const i64 expected = h.polynomials * h.limbs * program.params.n() * i64(sizeof(u64));
  const i64 found = frame.payload->size() - kValueHeaderBytes;
  require(found == expected, ErrorKind::bad_input, in.what(), ": value ", h.value, ": expected ",
          expected, " bytes of residues, found ", found);
  return h;
}

/// Reads the residues of a value, with get(polynomial, limb) as the memory for each limb.
template <class Get>
void read_residues(const Payload& payload, const std::string& peer, const ckks::Context& context,
                   const ValueHeader& h, const Get& get) {
  const i64 limb_bytes = context.n() * i64(sizeof(u64));
  i64 at = kValueHeaderBytes;
  for (int p = 0; p < h.polynomials; ++p)
    for (int i = 0; i < h.limbs; ++i, at += limb_bytes) {
      u64* const out = get(p, i);
      payload.copy_to(std::as_writable_bytes(std::span(out, size_t(context.n()))), at);
      const u64 q = context.ring().limb_modulus(h.level, h.first_limb + i).value();
      u64 largest = 0;
      for (i64 k = 0; k < context.n(); ++k) largest = std::max(largest, out[k]);
      require(largest < q, ErrorKind::bad_input, peer, ": value ", h.value,
              ": expected residues below the prime ", q, ", found ", largest);
    }
}

std::pair<ValueHeader, std::vector<RnsPoly>> decode(const ckks::Context& context,
                                                    const encrypted::EncryptedProgram& program,
                                                    const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->head(), peer);
  const ValueHeader h = parse_header(in, program, frame);
  std::vector<RnsPoly> polys;
  for (int p = 0; p < h.polynomials; ++p) polys.push_back(context.ring().make_poly(h.limbs));
  read_residues(*frame.payload, peer, context, h,
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

std::shared_ptr<const Payload> encode_value(u32 value, std::shared_ptr<const ckks::Ciphertext> x) {
  SINTER_ASSERT(x->parts() == 2);
  const ValueHeader header{value, kNoPart, x->level(), 0, 0, 0, x->scale()};
  return encode(header, {&x->part(0), &x->part(1)}, x);
}

std::shared_ptr<const Payload> encode_part(u32 value, const PartId& part,
                                           std::shared_ptr<const ckks::LinearPart> x) {
  std::vector<const RnsPoly*> polys;
  for (const RnsPoly& poly : x->polys) polys.push_back(&poly);
  return encode({value, part.number(), x->level, x->first_limb, 0, 0, x->scale}, polys, x);
}

ValueHeader check_value(const ckks::Context& context, const encrypted::EncryptedProgram& program,
                        const Frame& frame, const std::string& peer) {
  ByteReader in(frame.payload->head(), peer);
  const ValueHeader h = parse_header(in, program, frame);
  std::vector<u64> limb(size_t(context.n()));
  read_residues(*frame.payload, peer, context, h, [&](int, int) { return limb.data(); });
  return h;
}

ValueHeader check_header(const encrypted::EncryptedProgram& program, const Frame& frame,
                         const std::string& peer) {
  ByteReader in(frame.payload->head(), peer);
  return parse_header(in, program, frame);
}

ckks::Ciphertext decode_value(const ckks::Context& context,
                              const encrypted::EncryptedProgram& program, const Frame& frame,
                              const std::string& peer) {
  auto [h, polys] = decode(context, program, frame, peer);
  return {std::move(polys), h.scale, h.level, context.params().hash()};
}

ckks::LinearPart decode_part(const ckks::Context& context,
                             const encrypted::EncryptedProgram& program, const Frame& frame,
                             const std::string& peer) {
  auto [h, polys] = decode(context, program, frame, peer);
  return {h.level, h.first_limb, h.scale, context.params().hash(), std::move(polys)};
}

Frame task_frame(const FrameInfo& info, const Task& task) {
  ByteWriter out;
  out.u64_(task.id);
  out.u32_(u32(task.kind));
  out.u32_(u32(task.segment));
  out.u32_(u32(task.part));
  out.u32_(u32(task.parts));
  return small_frame(info, FrameKind::task, out);
}

Task parse_task(const Frame& frame, i64 segments, const std::string& peer) {
  ByteReader in(frame.payload->bytes(), peer);
  Task task;
  task.id = in.u64_();
  const u32 kind = in.u32_();
  task.segment = i32(in.u32_());
  task.part = i32(in.u32_());
  task.parts = i32(in.u32_());
  in.expect_end();
  task.request = i64(frame.info.request);
  const i64 count = kind == u32(TaskKind::whole) ? 1 : segments;
  const bool has_part = kind == u32(TaskKind::sums) || kind == u32(TaskKind::giants);
  require(kind <= u32(TaskKind::finish) && task.segment >= 0 && task.segment < count &&
              task.parts >= 0 && task.parts <= PartId::kMaxLimbs && task.part >= 0 &&
              task.part < (has_part ? task.parts : 1),
          ErrorKind::bad_input, peer, ": expected a task of this program, found kind ", kind,
          ", segment ", task.segment, ", part ", task.part, " of ", task.parts);
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

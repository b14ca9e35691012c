// SPDX-License-Identifier: Apache-2.0
#include "encrypted/evaluate.h"

#include <vector>

#include "ckks/encoder.h"

namespace sinter::encrypted {
namespace {

using ckks::Ciphertext;

using Operands = std::span<const Ciphertext* const>;

std::vector<Ciphertext> linear(const EncryptedProgram& program, i64 index, Operands x,
                               const Resources& r) {
  const Instruction& i = program.instructions[size_t(index)];
  const LinearMap& map = program.maps[size_t(i.table)];
  const auto kept = r.cache == nullptr ? nullptr : r.cache->get(program, r.context, index, r.pool);
  return ckks::apply_linear(r.context, map.plan(program.slots()), kept.get(), source_of(map),
                            i.plain_scale, x, r.keys, r.pool, r.linear);
}

std::vector<Ciphertext> add_vector(const SlotVector& v, Operands x, const Resources& r) {
  std::vector<double> period(size_t(v.period));
  v.expand(period);
  const ckks::Plaintext plain = ckks::encode_periodic(r.context, period, x[0]->scale(),
                                                      x[0]->level(), ckks::Basis::q, r.pool);
  std::vector<Ciphertext> sums;
  for (const Ciphertext* one : x) sums.push_back(ckks::add_plain(r.context, *one, plain, r.pool));
  return sums;
}

Ciphertext fold(const Ciphertext& x, i64 steps, const Resources& r) {
  Ciphertext turned = ckks::rotate(r.context, x, steps, r.keys, r.pool);
  ckks::add_inplace(r.context, turned, x, r.pool);
  return turned;
}

Ciphertext bootstrap(const EncryptedProgram& program, i64 entry, const Ciphertext& x,
                     const Resources& r) {
  if (r.bootstrappers != nullptr)
    return r.bootstrappers->get(entry, r.pool)->bootstrap(x, r.keys, r.pool);
  Bootstrappers own(program, r.context);
  return own.get(entry, r.pool)->bootstrap(x, r.keys, r.pool);
}

/// An instruction whose images have nothing in common.
Ciphertext evaluate_one(const EncryptedProgram& program, const Instruction& i, const Ciphertext& a,
                        const Ciphertext* b, const Resources& r) {
  switch (i.op) {
    case Opcode::input:
    case Opcode::drop:
      return ckks::drop_to_level(r.context, a, i.level, r.pool);
    case Opcode::rescale:
      return ckks::rescale(r.context, a, r.pool);
    case Opcode::fold:
      return fold(a, i.steps, r);
    case Opcode::add:
      return ckks::add(r.context, a, *b, r.pool);
    case Opcode::square:
      return ckks::square_relinearise(r.context, a, r.keys, r.pool);
    case Opcode::multiply:
      return ckks::multiply_relinearise(r.context, a, *b, r.keys, r.pool);
    case Opcode::bootstrap:
      return bootstrap(program, i.table, a, r);
    case Opcode::linear:
    case Opcode::add_vector:
      break;
  }
  SINTER_ASSERT(false);
  return {};
}

}  // namespace

std::vector<Ciphertext> evaluate(const EncryptedProgram& program, i64 index, Operands a, Operands b,
                                 const Resources& r) {
  require(index >= 0 && index < std::ssize(program.instructions), ErrorKind::bad_argument,
          "evaluate: expected an instruction below ", program.instructions.size(), ", found ",
          index);
  const Instruction& i = program.instructions[size_t(index)];
  const bool has_two = i.op == Opcode::add || i.op == Opcode::multiply;
  require(!a.empty() && (!has_two || b.size() == a.size()), ErrorKind::bad_argument,
          "evaluate: ", name(i.op), ": expected ", has_two ? "two operands" : "an operand",
          ", found fewer");
  if (i.op == Opcode::linear) return linear(program, index, a, r);
  if (i.op == Opcode::add_vector) return add_vector(program.vectors[size_t(i.table)], a, r);
  std::vector<Ciphertext> out;
  for (size_t j = 0; j < a.size(); ++j)
    out.push_back(evaluate_one(program, i, *a[j], has_two ? b[j] : nullptr, r));
  return out;
}

Ciphertext evaluate(const EncryptedProgram& program, i64 index, const Ciphertext* a,
                    const Ciphertext* b, const Resources& r) {
  return std::move(evaluate(program, index, Operands(&a, a == nullptr ? 0 : 1),
                            Operands(&b, b == nullptr ? 0 : 1), r)
                       .front());
}

}  // namespace sinter::encrypted

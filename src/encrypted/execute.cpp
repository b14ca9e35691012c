// SPDX-License-Identifier: Apache-2.0
#include "encrypted/execute.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "ckks/encoder.h"
#include "encrypted/cost.h"

namespace sinter::encrypted {
namespace {

using ckks::Ciphertext;

ckks::DiagonalSource source_of(const LinearMap& map) {
  return {[&map](i64 index, std::span<double> out) {
            const auto at = std::lower_bound(map.indices.begin(), map.indices.end(), index);
            SINTER_ASSERT(at != map.indices.end() && *at == index);
            map.rows[size_t(at - map.indices.begin())].expand(out);
          },
          map.period()};
}

void check_call(const EncryptedProgram& program, const ckks::Context& context,
                const ckks::EvaluationKeys& keys, const Ciphertext& input) {
  const u64 hash = program.params.hash();
  require(context.params().hash() == hash, ErrorKind::bad_argument,
          "infer: the context has other parameters than the program");
  require(keys.params_hash() == hash, ErrorKind::bad_argument,
          "infer: the evaluation keys belong to other parameters than the program; make keys for "
          "this program");
  require(!input.empty() && input.params_hash() == hash, ErrorKind::bad_argument,
          "infer: the input ciphertext belongs to other parameters than the program; encrypt for "
          "this program");
  const ckks::Origin& origin = input.origin();
  require(origin.key == 0 || keys.key_id() == 0 || origin.key == keys.key_id(),
          ErrorKind::bad_argument, "infer: the input is encrypted under key ", std::hex, origin.key,
          ", the evaluation keys belong to key ", keys.key_id(), "; use the files of one keygen");
  require(origin.program == 0 || origin.program == program.hash, ErrorKind::bad_argument,
          "infer: the input was encrypted for program ", std::hex, origin.program,
          ", this is program ", program.hash, "; encrypt for this program");
  for (const auto& [steps, level] : program.keys.rotations) {
    const auto it = keys.manifest().rotations.find(steps);
    require(it != keys.manifest().rotations.end(), ErrorKind::bad_argument,
            "infer: there is no key for rotation ", steps, ", which the program needs up to level ",
            level, "; make keys for this program");
    require(it->second >= level, ErrorKind::bad_argument, "infer: the key for rotation ", steps,
            " reaches level ", it->second, ", the program needs ", level);
  }
  require(keys.manifest().relinearisation_level >= program.keys.relinearisation_level,
          ErrorKind::bad_argument, "infer: the relinearisation key reaches level ",
          keys.manifest().relinearisation_level, ", the program needs ",
          program.keys.relinearisation_level);
  const double scale = program.input_scale();
  require(input.parts() == 2 && input.level() >= program.input_level() &&
              std::abs(input.scale() - scale) <= 1e-9 * scale,
          ErrorKind::bad_argument, "infer: expected an input at level ", program.input_level(),
          " with scale ", scale, ", found level ", input.level(), " with scale ", input.scale());
}

class Executor {
 public:
  Executor(const EncryptedProgram& program, const ckks::Context& context,
           const ckks::EvaluationKeys& keys, ThreadPool& pool, const ExecuteOptions& options)
      : p_(program),
        context_(context),
        keys_(keys),
        pool_(pool),
        options_(options),
        last_(last_uses(program)) {}

  Ciphertext run(const Ciphertext& input) {
    const i64 count = std::ssize(p_.instructions);
    std::vector<double> done(size_t(count) + 1, 0.0);
    for (i64 k = 0; k < count; ++k) done[size_t(k) + 1] = done[size_t(k)] + cost_of(p_, k).seconds;
    values_.resize(size_t(count));
    read_ahead(0);
    for (now_ = 0; now_ < count; ++now_) {
      const Instruction& i = p_.instructions[size_t(now_)];
      read_ahead(now_ + 1);
      values_[size_t(now_)] =
          i.op == Opcode::input ? ckks::drop_to_level(context_, input, i.level) : step(i);
      for (i32 v : {i.a, i.b})
        if (v >= 0 && last_[size_t(v)] == now_) values_[size_t(v)] = Ciphertext();
      if (options_.progress)
        options_.progress(i64(1000 * done[size_t(now_) + 1]), i64(1000 * done.back()),
                          p_.layers[size_t(i.layer)].name);
    }
    return std::move(values_.back());
  }

 private:
  const Ciphertext& at(i32 v) const { return values_[size_t(v)]; }

  /// Has the keys of an instruction read from a mapped file while the one before it runs.
  void read_ahead(i64 index) {
    if (index >= std::ssize(p_.instructions)) return;
    const Instruction& i = p_.instructions[size_t(index)];
    std::vector<i64> rotations;
    if (i.op == Opcode::fold) rotations = {i.steps};
    if (i.op == Opcode::linear) rotations = p_.maps[size_t(i.table)].plan(p_.slots()).rotations;
    for (i64 steps : rotations)
      if (asked_.insert(steps).second) keys_.will_need(context_, steps);
  }

  /// The operand itself when nothing reads it later, else a copy.
  Ciphertext take(i32 v) {
    return last_[size_t(v)] == now_ ? std::move(values_[size_t(v)]) : at(v).clone();
  }

  Ciphertext step(const Instruction& i) {
    switch (i.op) {
      case Opcode::drop:
        return ckks::drop_to_level(context_, at(i.a), i.level);
      case Opcode::linear:
        return linear(i);
      case Opcode::rescale:
        return ckks::rescale(context_, at(i.a), pool_);
      case Opcode::fold: {
        Ciphertext turned = ckks::rotate(context_, at(i.a), i.steps, keys_, pool_);
        ckks::add_inplace(context_, turned, at(i.a));
        return turned;
      }
      case Opcode::add: {
        Ciphertext sum = i.a == i.b ? at(i.a).clone() : take(i.a);
        ckks::add_inplace(context_, sum, i.a == i.b ? at(i.a) : at(i.b));
        return sum;
      }
      case Opcode::add_vector: {
        const SlotVector& v = p_.vectors[size_t(i.table)];
        std::vector<double> period(size_t(v.period));
        v.expand(period);
        Ciphertext sum = take(i.a);
        ckks::add_plain_inplace(context_, sum,
                                ckks::encode_periodic(context_, period, sum.scale(), sum.level()));
        return sum;
      }
      case Opcode::square:
        return ckks::square_relinearise(context_, at(i.a), keys_, pool_);
      case Opcode::multiply:
        return ckks::multiply_relinearise(context_, at(i.a), at(i.b), keys_, pool_);
      case Opcode::input:
        break;
    }
    SINTER_ASSERT(false);
    return {};
  }

  Ciphertext linear(const Instruction& i) {
    const LinearMap& map = p_.maps[size_t(i.table)];
    const ckks::LinearPlan plan = map.plan(p_.slots());
    if (options_.cache != nullptr)
      if (const auto kept = options_.cache->get(p_, context_, now_, pool_))
        return ckks::apply_linear(context_, plan, *kept, at(i.a), keys_, pool_);
    return ckks::apply_linear(context_, plan, source_of(map), i.plain_scale, at(i.a), keys_, pool_);
  }

  const EncryptedProgram& p_;
  const ckks::Context& context_;
  const ckks::EvaluationKeys& keys_;
  ThreadPool& pool_;
  const ExecuteOptions& options_;
  std::vector<i32> last_;
  std::vector<Ciphertext> values_;
  std::set<i64> asked_;  // rotations whose keys were asked for ahead
  i64 now_ = 0;
};

}  // namespace

DiagonalCache::DiagonalCache(const EncryptedProgram& program, i64 budget_bytes)
    : kept_(program.instructions.size()), program_hash_(program.hash), budget_(budget_bytes) {
  require(budget_bytes >= 0, ErrorKind::bad_argument, "DiagonalCache: budget ", budget_bytes);
}

std::shared_ptr<const ckks::EncodedDiagonals> DiagonalCache::get(const EncryptedProgram& program,
                                                                 const ckks::Context& context,
                                                                 i64 index, ThreadPool& pool) {
  require(program.hash == program_hash_ && index >= 0 && index < std::ssize(kept_),
          ErrorKind::bad_argument, "DiagonalCache: belongs to another program");
  const i64 bytes = cost_of(program, index).plaintext_bytes;
  {
    const std::lock_guard lock(mutex_);
    if (kept_[size_t(index)] != nullptr) return kept_[size_t(index)];
    if (used_ + bytes > budget_) return nullptr;
    used_ += bytes;
  }
  const Instruction& i = program.instructions[size_t(index)];
  const LinearMap& map = program.maps[size_t(i.table)];
  std::shared_ptr<const ckks::EncodedDiagonals> encoded;
  try {
    encoded = std::make_shared<const ckks::EncodedDiagonals>(ckks::encode_diagonals(
        context, map.plan(program.slots()), source_of(map), i.plain_scale, i.level, pool));
  } catch (...) {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
    throw;
  }
  const std::lock_guard lock(mutex_);
  if (kept_[size_t(index)] != nullptr) {  // another execution was faster
    used_ -= bytes;
    return kept_[size_t(index)];
  }
  kept_[size_t(index)] = encoded;
  return encoded;
}

i64 DiagonalCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

ckks::Ciphertext execute(const EncryptedProgram& program, const ckks::Context& context,
                         const ckks::EvaluationKeys& keys, const ckks::Ciphertext& input,
                         ThreadPool& pool, const ExecuteOptions& options) {
  check_call(program, context, keys, input);
  ckks::Ciphertext output = Executor(program, context, keys, pool, options).run(input);
  output.set_origin({input.origin().key, program.hash});
  return output;
}

}  // namespace sinter::encrypted

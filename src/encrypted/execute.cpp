// SPDX-License-Identifier: Apache-2.0
#include "encrypted/execute.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/timer.h"
#include "encrypted/cost.h"

namespace sinter::encrypted {
namespace {

using ckks::Ciphertext;

/// What the computing side has to fit: parameters, origins, level and scale of one input.
void check_input(const EncryptedProgram& program, const ckks::EvaluationKeys& keys,
                 const Ciphertext& input, i64 number) {
  const std::string which =
      program.input_count() == 1 ? "the input" : "input " + std::to_string(number);
  require(!input.empty() && input.params_hash() == program.params.hash(), ErrorKind::bad_argument,
          "infer: ", which,
          " is a ciphertext of other parameters than the program; encrypt for this program");
  const ckks::Origin& origin = input.origin();
  require(origin.key == 0 || keys.key_id() == 0 || origin.key == keys.key_id(),
          ErrorKind::bad_argument, "infer: ", which, " is encrypted under key ", std::hex,
          origin.key, ", the evaluation keys belong to key ", keys.key_id(),
          "; use the files of one keygen");
  require(origin.program == 0 || origin.program == program.hash, ErrorKind::bad_argument,
          "infer: ", which, " was encrypted for program ", std::hex, origin.program,
          ", this is program ", program.hash, "; encrypt for this program");
  const double scale = program.input_scale();
  require(input.parts() == 2 && input.level() >= program.input_level(number) &&
              std::abs(input.scale() - scale) <= 1e-9 * scale,
          ErrorKind::bad_argument, "infer: expected ", which, " at level ",
          program.input_level(number), " with scale ", scale, ", found level ", input.level(),
          " with scale ", input.scale());
}

}  // namespace

void check_call(const EncryptedProgram& program, const ckks::Context& context,
                const ckks::EvaluationKeys& keys, std::span<const Ciphertext> inputs) {
  const u64 hash = program.params.hash();
  require(context.params().hash() == hash, ErrorKind::bad_argument,
          "infer: the context has other parameters than the program");
  require(keys.params_hash() == hash, ErrorKind::bad_argument,
          "infer: the evaluation keys belong to other parameters than the program; make keys for "
          "this program");
  require(std::ssize(inputs) == program.input_count(), ErrorKind::bad_argument,
          "infer: the program takes ", program.input_count(), " ciphertexts a run, found ",
          inputs.size());
  for (i64 k = 0; k < std::ssize(inputs); ++k) {
    check_input(program, keys, inputs[size_t(k)], k);
    require(inputs[size_t(k)].origin().key == inputs[0].origin().key, ErrorKind::bad_argument,
            "infer: inputs 0 and ", k, " are encrypted under different keys");
  }
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
  require(keys.manifest().conjugation_level >= program.keys.conjugation_level &&
              keys.manifest().encapsulation_level >= program.keys.encapsulation_level,
          ErrorKind::bad_argument,
          "infer: the keys lack the conjugation or the change of secrets that the program's "
          "bootstraps need; make keys for this program");
}

namespace {

/// The values of several images; values_[k][j] is value k of image j.
class Executor {
 public:
  Executor(const EncryptedProgram& program, const Resources& resources, KeyWindow& window,
           const ExecuteOptions& options)
      : p_(program), r_(resources), window_(window), options_(options), last_(last_uses(program)) {}

  /// inputs: those of image 0, of image 1, ...
  std::vector<Ciphertext> run(std::span<const Ciphertext> inputs) {
    const i64 count = std::ssize(p_.instructions);
    std::vector<double> done(size_t(count) + 1, 0.0);
    for (i64 k = 0; k < count; ++k) done[size_t(k) + 1] = done[size_t(k)] + cost_of(p_, k).seconds;
    values_.resize(size_t(count));
    for (i64 k = 0; k < count; ++k) {
      const Instruction& i = p_.instructions[size_t(k)];
      window_.before(k);
      const Timer timer;
      values_[size_t(k)] = evaluate(
          p_, k, i.op == Opcode::input ? input(inputs, i.table) : operands(i.a), operands(i.b), r_);
      if (options_.observe) observe(k, timer);
      for (i32 v : {i.a, i.b})
        if (v >= 0 && last_[size_t(v)] == k) values_[size_t(v)].clear();
      if (options_.progress)
        options_.progress(i64(1000 * done[size_t(k) + 1]), i64(1000 * done.back()),
                          p_.layers[size_t(i.layer)].name);
    }
    return std::move(values_.back());
  }

 private:
  std::vector<const Ciphertext*> operands(i32 v) const {
    std::vector<const Ciphertext*> out;
    if (v >= 0)
      for (const Ciphertext& image : values_[size_t(v)]) out.push_back(&image);
    return out;
  }
  std::vector<const Ciphertext*> input(std::span<const Ciphertext> inputs, i32 number) const {
    std::vector<const Ciphertext*> out;
    for (i64 at = number; at < std::ssize(inputs); at += p_.input_count())
      out.push_back(&inputs[size_t(at)]);
    return out;
  }

  void observe(i64 k, const Timer& timer) {
    const ResidentMemory memory = resident_memory();
    options_.observe({k, timer.wall_s(), timer.cpu_s(), &values_[size_t(k)].front(),
                      memory.anonymous_bytes, memory.file_bytes});
  }

  const EncryptedProgram& p_;
  const Resources& r_;
  KeyWindow& window_;
  const ExecuteOptions& options_;
  std::vector<i32> last_;
  std::vector<std::vector<Ciphertext>> values_;
};

}  // namespace

std::vector<Ciphertext> execute_batch(const EncryptedProgram& program, const ckks::Context& context,
                                      const ckks::EvaluationKeys& keys,
                                      std::span<const Ciphertext> inputs, ThreadPool& pool,
                                      const ExecuteOptions& options) {
  const size_t each = size_t(program.input_count());
  require(!inputs.empty() && inputs.size() % each == 0, ErrorKind::bad_argument,
          "infer: the program takes ", each, " ciphertexts a run, found ", inputs.size());
  for (size_t at = 0; at < inputs.size(); at += each)
    check_call(program, context, keys, inputs.subspan(at, each));
  Bootstrappers own(program, context);
  KeyWindow window(program, context, keys, std::numeric_limits<i64>::max(), false);
  const Resources resources{
      context,        keys,
      pool,           options.cache,
      options.linear, options.bootstrappers != nullptr ? options.bootstrappers : &own};
  std::vector<Ciphertext> out =
      Executor(program, resources, options.window != nullptr ? *options.window : window, options)
          .run(inputs);
  for (size_t image = 0; image < out.size(); ++image)
    out[image].set_origin({inputs[image * each].origin().key, program.hash});
  return out;
}

Ciphertext execute(const EncryptedProgram& program, const ckks::Context& context,
                   const ckks::EvaluationKeys& keys, std::span<const Ciphertext> inputs,
                   ThreadPool& pool, const ExecuteOptions& options) {
  check_call(program, context, keys, inputs);
  return std::move(execute_batch(program, context, keys, inputs, pool, options).front());
}

}  // namespace sinter::encrypted

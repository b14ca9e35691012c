// SPDX-License-Identifier: Apache-2.0
#include "encrypted/simulate.h"

#include <cmath>

#include "base/random.h"

namespace sinter::encrypted {
namespace {

using Slots = std::vector<double>;

class Simulator {
 public:
  Simulator(const EncryptedProgram& program, const SimulateOptions& options)
      : p_(program), options_(options), rng_(options.noise_seed), n_(program.slots()) {}

  Slots run(std::span<const double> input) {
    const std::vector<i32> last = last_uses(p_);
    values_.resize(p_.instructions.size());
    for (i64 k = 0; k < std::ssize(p_.instructions); ++k) {
      const Instruction& i = p_.instructions[size_t(k)];
      Slots result = i.op == Opcode::input ? Slots(input.begin(), input.end()) : step(i);
      add_noise(i, result);
      if (options_.observe) options_.observe(k, result);
      values_[size_t(k)] = std::move(result);
      for (i32 v : {i.a, i.b})
        if (v >= 0 && last[size_t(v)] == k) values_[size_t(v)] = Slots();
    }
    return std::move(values_.back());
  }

 private:
  const Slots& at(i32 v) const { return values_[size_t(v)]; }

  Slots step(const Instruction& i) const {
    Slots y = at(i.a);
    switch (i.op) {
      case Opcode::linear:
        return linear(p_.maps[size_t(i.table)], at(i.a));
      case Opcode::fold:
        for (i64 s = 0; s < n_; ++s) y[size_t(s)] += at(i.a)[size_t((s + i.steps) % n_)];
        return y;
      case Opcode::add:
        for (size_t s = 0; s < y.size(); ++s) y[s] += at(i.b)[s];
        return y;
      case Opcode::add_vector: {
        const SlotVector& v = p_.vectors[size_t(i.table)];
        Slots period(size_t(v.period));
        v.expand(period);
        for (size_t s = 0; s < y.size(); ++s) y[s] += period[s % period.size()];
        return y;
      }
      case Opcode::square:
        for (double& v : y) v *= v;
        return y;
      case Opcode::multiply:
        for (size_t s = 0; s < y.size(); ++s) y[s] *= at(i.b)[s];
        return y;
      default:
        return y;
    }
  }

  Slots linear(const LinearMap& map, const Slots& x) const {
    Slots y(size_t(n_), 0.0);
    const i64 period = map.period();
    for (size_t d = 0; d < map.indices.size(); ++d)
      for (const Run& run : map.rows[d].runs)
        for (i64 copy = 0; copy < n_; copy += period)
          for (i64 s = copy + run.start; s < copy + run.start + run.length; ++s)
            y[size_t(s)] += run.value * x[size_t((s + map.indices[d]) % n_)];
    return y;
  }

  /// Standard deviation in a slot of what the scheme rounds (docs/encrypted.md, "Noise").
  void add_noise(const Instruction& i, Slots& slots) {
    if (options_.noise_seed == 0) return;
    const double n = double(p_.params.n()), rounding = n / std::sqrt(18.0);
    double deviation = 0;
    if (i.op == Opcode::input) deviation = 3.2 * std::sqrt(n);
    if (i.op == Opcode::rescale || i.op == Opcode::fold || i.op == Opcode::linear ||
        i.op == Opcode::square || i.op == Opcode::multiply)
      deviation = rounding;
    double weight = 0;
    if (i.op == Opcode::linear) {  // every encoded diagonal is rounded: sqrt(N/12) / plain_scale
      for (double v : at(i.a)) weight += v * v;
      const double diagonals = double(p_.maps[size_t(i.table)].indices.size());
      weight = std::sqrt(weight / double(n_) * diagonals * n / 12) / i.plain_scale;
    }
    if (i.op == Opcode::add_vector) deviation = std::sqrt(n / 12);
    if (deviation == 0) return;
    const double sigma = std::hypot(deviation / i.scale, weight);
    for (double& v : slots) v += sigma * rng_.normal();
  }

  const EncryptedProgram& p_;
  const SimulateOptions& options_;
  Rng rng_;
  i64 n_;
  std::vector<Slots> values_;
};

}  // namespace

std::vector<double> simulate(const EncryptedProgram& program, std::span<const double> input,
                             const SimulateOptions& options) {
  require(std::ssize(input) == program.slots(), ErrorKind::bad_argument, "simulate: expected ",
          program.slots(), " slots, found ", input.size());
  return Simulator(program, options).run(input);
}

}  // namespace sinter::encrypted

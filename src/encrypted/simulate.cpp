// SPDX-License-Identifier: Apache-2.0
#include "encrypted/simulate.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "ckks/noise.h"

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

  Slots step(const Instruction& i) {
    Slots y = at(i.a);
    switch (i.op) {
      case Opcode::linear:
        return options_.noise_seed == 0 ? linear(p_.maps[size_t(i.table)], at(i.a))
                                        : noisy_linear(i);
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

  /// The same through the rotations of the plan: every baby but 0 is a key switch whose error is
  /// drawn once and goes through all diagonals that read this baby.
  Slots noisy_linear(const Instruction& i) {
    const LinearMap& map = p_.maps[size_t(i.table)];
    const ckks::LinearPlan plan = map.plan(n_);
    std::vector<Slots> babies;
    for (i64 steps : plan.babies) {
      Slots& x = babies.emplace_back(at(i.a));
      std::rotate(x.begin(), x.begin() + steps, x.end());
      if (steps != 0)
        add_deviates(x, key_switch_error(i.level, p_.instructions[size_t(i.a)].scale));
    }
    Slots y(size_t(n_), 0.0);
    for (const ckks::LinearPlan::Giant& giant : plan.giants)
      for (const ckks::LinearPlan::Term& term : giant.terms) {
        const auto row = std::lower_bound(map.indices.begin(), map.indices.end(), term.index);
        const Slots& x = babies[size_t(term.baby)];
        for (const Run& run : map.rows[size_t(row - map.indices.begin())].runs)
          for (i64 copy = 0; copy < n_; copy += map.period())
            for (i64 s = copy + run.start; s < copy + run.start + run.length; ++s)
              y[size_t(s)] += run.value * x[size_t((s + giant.steps) % n_)];
      }
    const double giants = std::sqrt(double(plan.giant_count()));
    add_deviates(y, giants == 0 ? 0 : giants * key_switch_error(i.level, i.scale));
    add_encoding_errors(map, i.plain_scale, at(i.a), y);
    return y;
  }

  /// Of the rounded diagonals: their errors meet the values that they multiply.
  void add_encoding_errors(const LinearMap& map, double plain_scale, const Slots& x, Slots& y) {
    Slots squares(size_t(n_), 0.0);
    for (i64 d : map.indices)
      for (i64 s = 0; s < n_; ++s) {
        const double v = x[size_t((s + d) & (n_ - 1))];
        squares[size_t(s)] += v * v;
      }
    const double error = encoding_error(plain_scale);
    for (size_t s = 0; s < y.size(); ++s) y[s] += error * std::sqrt(squares[s]) * rng_.normal();
  }

  double encoding_error(double scale) const {
    return std::sqrt(double(p_.params.n()) / 12) / scale;
  }
  double key_switch_error(int level, double scale) const {
    return ckks::estimate_key_switch(p_.params, level, scale, {}).error;
  }

  /// Standard deviation in a slot of what the instruction itself adds (ckks/noise.h); a linear map
  /// adds its own as it goes.
  double own_error(const Instruction& i) const {
    switch (i.op) {
      case Opcode::input:
        return ckks::estimate_fresh(p_.params, 0, i.scale).error;
      case Opcode::rescale:
        return ckks::estimate_rescale(p_.params, i.scale, {}).error;
      case Opcode::fold:
      case Opcode::square:
      case Opcode::multiply:
        return key_switch_error(i.level, i.scale);
      case Opcode::add_vector:
        return encoding_error(i.scale);
      default:
        return 0;
    }
  }

  void add_noise(const Instruction& i, Slots& slots) {
    if (options_.noise_seed != 0) add_deviates(slots, own_error(i));
  }

  void add_deviates(Slots& slots, double deviation) {
    if (deviation == 0) return;
    for (double& v : slots) v += deviation * rng_.normal();
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

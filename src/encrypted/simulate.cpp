// SPDX-License-Identifier: Apache-2.0
#include "encrypted/simulate.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "base/random.h"
#include "ckks/noise.h"

namespace sinter::encrypted {
namespace {

using Slots = std::vector<double>;

class Simulator {
 public:
  Simulator(const EncryptedProgram& program, const SimulateOptions& options)
      : p_(program), options_(options), rng_(options.noise_seed), n_(program.slots()) {}

  Slots run(std::span<const Slots> inputs) {
    const std::vector<i32> last = last_uses(p_);
    values_.resize(p_.instructions.size());
    for (i64 k = 0; k < std::ssize(p_.instructions); ++k) {
      const Instruction& i = p_.instructions[size_t(k)];
      Slots result = i.op == Opcode::input ? inputs[size_t(i.table)] : step(i);
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
    Slots y(size_t(n_), 0.0), row(size_t(map.period()));
    for (size_t d = 0; d < map.indices.size(); ++d) {
      map.rows[d].expand(row);
      add_product(row, x, map.indices[d], y);
    }
    return y;
  }

  /// y += row .* rot(x, steps), row repeated; steps in [0, n).
  void add_product(const Slots& row, const Slots& x, i64 steps, Slots& y) const {
    const i64 period = std::ssize(row);
    const auto add = [&](i64 begin, i64 end, const double* from) {
      for (i64 at = begin; at < end;) {
        const i64 in_row = at & (period - 1), stop = std::min(end, at + period - in_row);
        const double* r = row.data() + in_row;
        for (i64 s = 0; s < stop - at; ++s) y[size_t(at + s)] += r[s] * from[at + s];
        at = stop;
      }
    };
    add(0, n_ - steps, x.data() + steps);
    add(n_ - steps, n_, x.data() - (n_ - steps));
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
    Slots y(size_t(n_), 0.0), diagonal(size_t(map.period()));
    for (const ckks::LinearPlan::Giant& giant : plan.giants)
      for (const ckks::LinearPlan::Term& term : giant.terms) {
        const auto row = std::lower_bound(map.indices.begin(), map.indices.end(), term.index);
        map.rows[size_t(row - map.indices.begin())].expand(diagonal);
        add_product(diagonal, babies[size_t(term.baby)], giant.steps, y);
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
    const double error = encoding_error(plain_scale, map.period());
    for (size_t s = 0; s < y.size(); ++s) y[s] += error * std::sqrt(squares[s]) * rng_.normal();
  }

  /// What has a period has no coefficients between those of its subring to be rounded.
  double encoding_error(double scale, i64 period) const {
    return std::sqrt(double(2 * period) / 12) / scale;
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
        return encoding_error(i.scale, p_.vectors[size_t(i.table)].period);
      case Opcode::bootstrap:
        return ckks::bootstrap_error(p_.params, p_.bootstraps[size_t(i.table)]);
      default:
        return 0;
    }
  }

  /// The sine on the mean of the copies, which is what a bootstrap of fewer slots sees.
  void bend(const ckks::BootstrapOptions& options, Slots& slots) const {
    const i64 copies = n_ / options.slots;
    std::vector<std::complex<double>> period(size_t(options.slots));
    for (i64 s = 0; s < n_; ++s)
      period[size_t(s % options.slots)] += slots[size_t(s)] / double(copies);
    const std::vector<std::complex<double>> bent = ckks::bent(p_.params, options, period);
    for (i64 s = 0; s < n_; ++s) slots[size_t(s)] = bent[size_t(s % options.slots)].real();
  }

  void add_noise(const Instruction& i, Slots& slots) {
    if (options_.noise_seed == 0) return;
    if (i.op == Opcode::bootstrap) bend(p_.bootstraps[size_t(i.table)], slots);
    add_deviates(slots, own_error(i));
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

std::vector<double> simulate(const EncryptedProgram& program, std::span<const Slots> inputs,
                             const SimulateOptions& options) {
  require(std::ssize(inputs) == program.input_count(), ErrorKind::bad_argument,
          "simulate: expected ", program.input_count(), " inputs, found ", inputs.size());
  for (const Slots& input : inputs)
    require(std::ssize(input) == program.slots(), ErrorKind::bad_argument, "simulate: expected ",
            program.slots(), " slots, found ", input.size());
  return Simulator(program, options).run(inputs);
}

}  // namespace sinter::encrypted

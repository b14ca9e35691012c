// SPDX-License-Identifier: Apache-2.0
#include "encrypted/balance.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "encrypted/hold.h"

namespace sinter::encrypted {
namespace {

constexpr int kProjections = 4, kSweeps = 100;
constexpr double kDamping = 0.5;     ///< all channels move at once
constexpr double kMaxExponent = 24;  ///< of linear stages
constexpr double kMaxHeld = 10;      ///< bits of the largest held |value| of a linear stage
/// Of the root mean square: what no channel falls below, since other inputs may be larger.
constexpr double kSmallest = 0x1p-12;

using Values = std::vector<std::vector<double>>;

double at(const std::vector<double>& v, size_t i) { return v.empty() ? 0.0 : v[i]; }

/// grad[v] += (d stage / d v)^T grad[stage] for what the stage reads.
void carry_back(const Stage& s, const std::vector<double>& grad, const Values& values,
                Values& grads) {
  for (const Term& term : s.terms) {
    const SparseMatrix& m = *term.matrix;
    std::vector<double>& to = grads[size_t(term.value)];
    for (size_t r = 0; r < grad.size(); ++r)
      for (i64 i = m.row_start[r]; i < m.row_start[r + 1]; ++i)
        to[size_t(m.col[size_t(i)])] += m.value[size_t(i)] * grad[r];
  }
  if (s.kind != StageKind::product) return;
  const std::vector<double>&x = values[size_t(s.x)], &y = values[size_t(s.y)];
  for (size_t i = 0; i < grad.size(); ++i) {
    grads[size_t(s.x)][i] += grad[i] * (y[i] + at(s.shift_y, i));
    grads[size_t(s.y)][i] += grad[i] * (x[i] + at(s.shift_x, i));
  }
}

/// What the sum above needs of one stage, by channels.
struct Held {
  size_t pixels = 1;  ///< elements of a channel
  bool is_free = false, is_uniform = false;
  double own = 0;
  std::vector<double> gain, square, exponent, least;
  std::vector<double> up, down, curvature;  ///< terms that grow and fall with the exponent

  size_t channels() const { return gain.size(); }
};

class Balance {
 public:
  Balance(const StageGraph& graph, const ChannelRanges& ranges, double secret_weight)
      : g_(graph), held_(graph.stages.size()) {
    const std::vector<bool> scalable = can_be_scaled(graph);
    for (size_t k = 0; k < held_.size(); ++k) {
      const Stage& s = g_.stages[k];
      Held& h = held_[k];
      h.pixels = size_t(s.geometry.height * s.geometry.width);
      const size_t n = size_t(s.size()) / h.pixels;
      for (auto* v : {&h.gain, &h.square, &h.exponent, &h.up, &h.down, &h.curvature})
        v->assign(n, 0.0);
      h.least.assign(n, -kMaxExponent);
      h.is_free = s.kind == StageKind::linear && !sums_slots(s) && scalable[k];
      h.own = 2 + 2 * (1 + secret_weight);  // with one key switch behind it
    }
    for (i64 k = std::ssize(held_) - 1; k >= 0; --k) {
      const Stage& s = g_.stages[size_t(k)];
      const bool is_sum = sums_slots(s);
      if (is_sum || (s.kind == StageKind::product && held_[size_t(k)].is_uniform))
        for (i32 v : operands(s)) held_[size_t(v)].is_uniform = true;
      if (is_sum) held_[size_t(k)].is_uniform = true;
    }
    for (size_t k = 0; k < held_.size(); ++k) bound(k, ranges[k]);
  }

  void observe(const std::vector<double>& input) {
    const Values values = evaluate_stages(g_, input);
    for (size_t k = 0; k < held_.size(); ++k)
      for (size_t i = 0; i < values[k].size(); ++i)
        held_[k].square[i / held_[k].pixels] +=
            values[k][i] * values[k][i] / double(values[k].size());
    for (int n = 0; n < kProjections; ++n) {
      Values grads;
      for (const auto& v : values) grads.emplace_back(v.size(), 0.0);
      for (double& v : grads[size_t(g_.output)]) v = rng_.below(2) == 0 ? 1 : -1;
      for (i64 k = std::ssize(held_) - 1; k >= 0; --k) {
        Held& h = held_[size_t(k)];
        const std::vector<double> grad = std::move(grads[size_t(k)]);
        for (size_t i = 0; i < grad.size(); ++i)
          h.gain[i / h.pixels] += grad[i] * grad[i] / kProjections;
        carry_back(g_.stages[size_t(k)], grad, values, grads);
      }
    }
  }

  /// Variance before over variance after.
  double solve() {
    for (Held& h : held_)
      for (auto* v : {&h.square, &h.gain}) {
        double sum = 0;
        for (double x : *v) sum += x;
        for (double& x : *v) x += sum / double(v->size()) * kSmallest * kSmallest;
      }
    const double before = derive();
    for (int n = 0; n < kSweeps; ++n) {
      for (Held& h : held_)
        if (h.is_free) move(h);
      derive();
    }
    for (Held& h : held_)
      if (h.is_free)
        for (double& e : h.exponent) e = std::round(e);
    return before / derive();
  }

  Exponents exponents() const {
    Exponents all;
    for (const Held& h : held_) {
      std::vector<int>& e = all.emplace_back(h.channels() * h.pixels);
      for (size_t i = 0; i < e.size(); ++i) e[i] = int(h.exponent[i / h.pixels]);
    }
    return all;
  }

 private:
  /// The smallest exponents of the linear stages in front of stage k.
  void bound(size_t k, const std::vector<double>& ranges) {
    const Stage& s = g_.stages[k];
    const auto raise = [&](i32 v, size_t c, double bits) {
      double& least = held_[size_t(v)].least[c];
      least = std::min(kMaxExponent, std::max(least, std::ceil(bits)));
    };
    for (size_t c = 0; c < ranges.size(); ++c) {
      double range = std::max(ranges[c], 1e-100);
      if (held_[k].is_free) raise(i32(k), c, std::log2(range) - kMaxHeld);
      if (s.kind != StageKind::product || s.x != s.y) continue;
      range = std::max(range, std::abs(at(s.post, c * held_[k].pixels)));
      raise(s.x, c, (std::log2(range) - 2 * kMaxHeld) / 2);
    }
  }

  /// Exponents of what is not free, and the terms of the sum that each channel moves. out: the sum
  double derive() {
    for (size_t k = 0; k < held_.size(); ++k) {
      const Stage& s = g_.stages[k];
      std::vector<double>& e = held_[k].exponent;
      if (sums_slots(s)) std::fill(e.begin(), e.end(), held_[size_t(s.terms[0].value)].exponent[0]);
      if (s.kind == StageKind::product)
        for (size_t c = 0; c < e.size(); ++c)
          e[c] = held_[size_t(s.x)].exponent[c] + held_[size_t(s.y)].exponent[c];
    }
    const double sum = count_terms();
    for (i64 k = std::ssize(held_) - 1; k >= 0; --k) hand_down(g_.stages[size_t(k)], size_t(k));
    return sum;
  }

  double count_terms() {
    std::vector<double> weight(held_.size(), 0.0), square(held_.size(), 0.0);
    for (size_t k = 0; k < held_.size(); ++k)
      for (size_t c = 0; c < held_[k].channels(); ++c)
        square[k] += held_[k].square[c] * std::exp2(-2 * held_[k].exponent[c]);
    double all = 0;
    for (size_t k = 0; k < held_.size(); ++k) {
      const Stage& s = g_.stages[k];
      Held& h = held_[k];
      double error = sums_slots(s) ? 0 : h.own, gain = 0;
      for (const Term& t : s.terms)
        if (!sums_slots(s)) error += entries(t) * square[size_t(t.value)];
      for (size_t c = 0; c < h.channels(); ++c) {
        const double g = h.gain[c] * std::exp2(2 * h.exponent[c]);
        gain += g;
        h.up[c] = g * error;
      }
      all += gain * error;
      for (const Term& t : s.terms)
        if (!sums_slots(s)) weight[size_t(t.value)] += entries(t) * gain;
    }
    for (size_t k = 0; k < held_.size(); ++k) {
      Held& h = held_[k];
      for (size_t c = 0; c < h.channels(); ++c) {
        h.down[c] = weight[k] * h.square[c] * std::exp2(-2 * h.exponent[c]);
        h.curvature[c] = h.up[c] + h.down[c];
      }
    }
    return all;
  }

  /// Entries of a row: as many rounded values meet in a slot.
  static double entries(const Term& t) {
    return double(t.matrix->nonzeros()) / double(t.matrix->rows);
  }

  /// What a product or a sum moves belongs to its operands.
  void hand_down(const Stage& s, size_t k) {
    const Held& h = held_[k];
    const bool is_sum = sums_slots(s);
    if (!is_sum && s.kind != StageKind::product) return;
    const auto add = [&](i32 v, double times) {
      Held& to = held_[size_t(v)];
      for (size_t c = 0; c < h.channels(); ++c) {
        const size_t d = is_sum ? 0 : c;
        to.up[d] += times * h.up[c];
        to.down[d] += times * h.down[c];
        to.curvature[d] += times * times * h.curvature[c];
      }
    };
    if (is_sum) return add(s.terms[0].value, 1);
    if (s.x == s.y) return add(s.x, 2);
    add(s.x, 1);
    add(s.y, 1);
  }

  /// Towards equal slopes up and down.
  static void move(Held& h) {
    const size_t n = h.channels(), groups = h.is_uniform ? 1 : n;
    for (size_t group = 0; group < groups; ++group) {
      double up = 0, down = 0, curvature = 0, least = -kMaxExponent;
      const size_t end = h.is_uniform ? n : group + 1;
      for (size_t c = group; c < end; ++c) {
        up += h.up[c], down += h.down[c], curvature += h.curvature[c];
        least = std::max(least, h.least[c]);
      }
      if (!(up > 0) || !(down > 0)) continue;
      const double power = std::max(1.0, curvature / (up + down));
      const double step = kDamping * std::log2(down / up) / (4 * power);
      const double e = std::clamp(h.exponent[group] + step, least, kMaxExponent);
      std::fill(h.exponent.begin() + i64(group), h.exponent.begin() + i64(end), e);
    }
  }

  const StageGraph& g_;
  std::vector<Held> held_;
  Rng rng_{1};
};

}  // namespace

double balance(StageGraph& graph, ChannelRanges& ranges,
               std::span<const std::vector<double>> inputs, const BalanceOptions& options) {
  Balance search(graph, ranges, options.secret_weight);
  for (const std::vector<double>& input : inputs) search.observe(input);
  const double bits = std::log2(search.solve()) / 2;
  if (!(bits >= options.least_bits)) return 0;
  const Exponents e = search.exponents();
  hold(graph, e);
  for (size_t k = 0; k < ranges.size(); ++k) {
    const size_t pixels = e[k].size() / ranges[k].size();
    for (size_t c = 0; c < ranges[k].size(); ++c)
      ranges[k][c] = std::ldexp(ranges[k][c], -e[k][c * pixels]);
  }
  return bits;
}

}  // namespace sinter::encrypted

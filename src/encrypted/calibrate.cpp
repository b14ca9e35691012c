// SPDX-License-Identifier: Apache-2.0
#include "encrypted/calibrate.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "base/threads.h"
#include "base/timer.h"
#include "ckks/encoder.h"
#include "ckks/evaluate.h"
#include "ckks/linear.h"
#include "ring/ntt.h"
#include "ring/rns.h"

namespace sinter::encrypted {
namespace {

constexpr int kTop = 15, kSpecial = 7;  // three digits at the top, two in the middle, one below
constexpr int kLevels[] = {15, 8, 3};
constexpr i64 kBabies = 8, kGiants = 4;
constexpr double kEnough = 0.04;       // seconds of repeats of one operation
constexpr double kPriorWeight = 0.02;  // of a relative error of a unit against one of a time

ckks::CkksParams params_of(i64 log_n) {
  ckks::CkksOptions options;
  options.log_n = log_n;
  options.log_q.assign(kTop + 1, 42);
  options.log_q[0] = 48;
  options.log_p.assign(kSpecial, 48);
  options.log_scale = 42;
  options.security = ckks::Security::none_for_tests;
  return ckks::CkksParams::check(options);
}

/// Everything that is measured at one ring size.
class Bench {
 public:
  explicit Bench(i64 log_n)
      : context_(ckks::Context::create(params_of(log_n))),
        ring_{log_n, kSpecial},
        random_(random_poly(kTop + 1 + kSpecial)),
        keys_(make_keys()) {}

  const KeySwitching& ring() const { return ring_; }

  struct Case {
    std::string what;
    WorkKind kind;
    int level;
    Work work;
    std::function<void(ThreadPool&)> run;
  };
  /// The operations at one level.
  std::vector<Case> cases(int level, ThreadPool& pool) {
    x_ = std::make_shared<ckks::Ciphertext>(ciphertext(level));
    std::vector<Case> list;
    const auto x = x_;
    list.push_back({"rotation", WorkKind::key_switch, level, switch_work(ring_, level),
                    [this, x](ThreadPool& p) { ckks::rotate(*context_, *x, 1, keys_, p); }});
    list.push_back({"rescale", WorkKind::rescale, level, rescale_work(level),
                    [this, x](ThreadPool& p) { ckks::rescale(*context_, *x, p); }});
    add_linear(list, "map of 8 babies", level, kBabies, 1, pool);
    add_linear(list, "map of 4 giants", level, 1, kGiants, pool);
    add_linear(list, "map of 8 babies and 4 giants", level, kBabies, kGiants, pool);
    add_on_the_fly(list, "the same encoded on the fly", level, 1);
    add_on_the_fly(list, "the same, short diagonals", level, 8);
    add_giant_by_giant(list, level);
    add_encodings(list, level);
    return list;
  }

 private:
  ring::RnsPoly random_poly(int limbs) const {
    const ring::RnsRing& ring = context_->ring();
    ring::RnsPoly poly = ring.make_poly(limbs);
    Rng rng(1);
    for (int i = 0; i < limbs; ++i)  // below the smallest prime, so below every one
      for (u64& v : poly.limb(i)) v = rng.bits() >> 23;
    return poly;
  }

  ckks::EvaluationKeys make_keys() const {
    ckks::KeyManifest manifest;
    const i64 slots = context_->slots();
    for (i64 b = 1; b < kBabies; ++b) manifest.add_rotation(b, kTop, slots);
    for (i64 g = 1; g < kGiants; ++g) manifest.add_rotation(g * kBabies, kTop, slots);
    std::vector<ckks::SwitchingKey> keys;
    for (const ckks::KeySlot& slot : manifest.slots(context_->params())) {
      ckks::SwitchingKey& key = keys.emplace_back();
      key.level = kTop;
      key.galois_element = 1;
      for (i64 r = 0; r < slot.rotation; ++r)
        key.galois_element = key.galois_element * 5 % u64(2 * context_->n());
      key.permutation = ring::automorphism_permutation(context_->n(), key.galois_element);
      for (int d = 0; d < slot.digits(); ++d)
        key.digits.push_back({random_.clone(), random_.clone()});
    }
    return {context_->params().hash(), manifest, std::move(keys)};
  }

  ckks::Ciphertext ciphertext(int level) const {
    std::vector<ring::RnsPoly> parts;
    parts.push_back(random_poly(level + 1));
    parts.push_back(random_poly(level + 1));
    return {std::move(parts), context_->params().scale(), level, context_->params().hash()};
  }

  ckks::DiagonalSource source(i64 period) const {
    return {[](i64 index, std::span<double> out) {
              for (size_t i = 0; i < out.size(); ++i)
                out[i] = double((i * 7 + size_t(index)) % 64) / 64;
            },
            period};
  }

  ckks::LinearPlan plan(i64 babies, i64 giants) const {
    std::vector<i64> indices;
    for (i64 g = 0; g < giants; ++g)
      for (i64 b = 0; b < babies; ++b) indices.push_back(g * kBabies + b);
    return ckks::plan_linear(indices, context_->slots(), kBabies);
  }

  MapShape shape(i64 babies, i64 giants, i64 period) const {
    return {babies * giants, babies, babies - 1, giants, giants - 1, period};
  }

  void add_linear(std::vector<Case>& list, const char* what, int level, i64 babies, i64 giants,
                  ThreadPool& pool) const {
    const MapShape map = shape(babies, giants, context_->slots());
    const ckks::LinearPlan p = plan(babies, giants);
    const auto encoded = std::make_shared<const ckks::EncodedDiagonals>(
        ckks::encode_diagonals(*context_, p, source(0), context_->params().scale(), level, pool));
    list.push_back({what, WorkKind::linear, level, linear_work(ring_, level, map, false),
                    [this, p, encoded, x = x_](ThreadPool& workers) {
                      ckks::apply_linear(*context_, p, *encoded, *x, keys_, workers);
                    }});
  }

  /// Diagonals of a part of the slots, all giants together: what a server does without a cache.
  void add_on_the_fly(std::vector<Case>& list, const char* what, int level, i64 part) const {
    const i64 period = context_->slots() / part;
    const MapShape map = shape(kBabies, kGiants, period);
    add_making(list, what, map, level, std::numeric_limits<i64>::max());
  }

  /// So few babies that they are kept for groups of one giant.
  void add_giant_by_giant(std::vector<Case>& list, int level) const {
    add_making(list, "2 babies kept for 4 giants", shape(2, kGiants, context_->slots() / 8), level,
               1);
  }

  void add_making(std::vector<Case>& list, const char* what, const MapShape& map, int level,
                  i64 work_bytes) const {
    const ckks::LinearPlan p = plan(map.babies, map.giant_sums);
    list.push_back(
        {what, WorkKind::linear, level,
         linear_work(ring_, level, map, true, work_bytes) + encode_work(ring_, level, map),
         [this, p, map, work_bytes, x = x_](ThreadPool& pool) {
           ckks::apply_linear(*context_, p, source(map.period), context_->params().scale(), *x,
                              keys_, pool, {.work_bytes = work_bytes});
         }});
  }

  void add_encodings(std::vector<Case>& list, int level) const {
    const MapShape map = shape(kBabies, 1, context_->slots() / 8);
    const ckks::LinearPlan p = plan(kBabies, 1);
    list.push_back({"8 short diagonals encoded", WorkKind::encode, level,
                    encode_work(ring_, level, map), [this, p, map, level](ThreadPool& pool) {
                      ckks::encode_diagonals(*context_, p, source(map.period),
                                             context_->params().scale(), level, pool);
                    }});
  }

  std::shared_ptr<const ckks::Context> context_;
  KeySwitching ring_;
  ring::RnsPoly random_;
  ckks::EvaluationKeys keys_;
  std::shared_ptr<ckks::Ciphertext> x_;
};

double wall_of(const std::function<void(ThreadPool&)>& run, ThreadPool& pool, int repeats) {
  double best = std::numeric_limits<double>::infinity();
  for (int r = 0; r < repeats; ++r) {
    const Timer timer;
    run(pool);
    best = std::min(best, timer.wall_s());
  }
  return best;
}

/// Everything at one ring size; appends to the calibration.
class SizeMeasurement {
 public:
  SizeMeasurement(i64 log_n, const CalibrateOptions& options, Calibration& out)
      : options_(options), out_(out), bench_(log_n), log_n_(log_n) {
    best_.fill(0);
  }

  void run(double& cpu, double& wall) {
    for (const int level : kLevels) measure_level(level, cpu, wall);
    UnitCosts& row = out_.units.sizes.emplace_back(built_in_units().at(log_n_));
    row.seconds = fit_units(works_, seconds_, row.seconds);
    for (size_t kind = 0; kind < kWorkKindCount; ++kind)
      if (best_[kind] > 0) row.two_threads[kind] = std::clamp(best_[kind], 1.0, 2.0);
    const size_t first = out_.observations.size() - works_.size();
    for (size_t i = 0; i < works_.size(); ++i)
      out_.observations[first + i].predicted = row.of(works_[i]);
  }

 private:
  void measure_level(int level, double& cpu, double& wall) {
    for (const Bench::Case& c : bench_.cases(level, one_)) {
      double best = std::numeric_limits<double>::infinity(), best_wall = best;
      double spent = 0;
      for (int r = 0; r < options_.repeats || spent < kEnough; ++r) {
        const Timer timer;
        c.run(one_);
        const double seconds = timer.cpu_s();
        best = std::min(best, seconds);
        best_wall = std::min(best_wall, timer.wall_s());
        spent += timer.wall_s();
        cpu += seconds;
        wall += timer.wall_s();
      }
      works_.push_back(c.work);
      seconds_.push_back(best);
      out_.observations.push_back({log_n_, c.what, level, best, 0});
      if (options_.threads && level == kLevels[0]) {
        double& gain = best_[size_t(c.kind)];
        gain = std::max(gain, best_wall / wall_of(c.run, two_, options_.repeats));
      }
    }
  }

  const CalibrateOptions& options_;
  Calibration& out_;
  Bench bench_;
  i64 log_n_;
  ThreadPool one_{1}, two_{2};
  std::vector<Work> works_;
  std::vector<double> seconds_;
  std::array<double, kWorkKindCount> best_;
};

}  // namespace

std::array<double, kUnitCount> fit_units(const std::vector<Work>& works,
                                         const std::vector<double>& seconds,
                                         const std::array<double, kUnitCount>& prior) {
  constexpr int kSweeps = 2000;
  // In terms of u / prior: minimise |A u - 1|^2 + w |u - 1|^2 over u >= 0, coordinate by
  // coordinate.
  std::vector<std::array<double, kUnitCount>> rows(works.size());
  for (size_t i = 0; i < works.size(); ++i)
    for (size_t u = 0; u < kUnitCount; ++u) rows[i][u] = works[i][Unit(u)] * prior[u] / seconds[i];
  std::array<double, kUnitCount> x;
  x.fill(1);
  std::vector<double> left(works.size(), 1);
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t u = 0; u < kUnitCount; ++u) left[i] -= rows[i][u];
  for (int sweep = 0; sweep < kSweeps; ++sweep)
    for (size_t u = 0; u < kUnitCount; ++u) {
      double square = kPriorWeight, slope = kPriorWeight * (1 - x[u]);
      for (size_t i = 0; i < rows.size(); ++i) {
        square += rows[i][u] * rows[i][u];
        slope += rows[i][u] * left[i];
      }
      const double step = std::max(slope / square, -x[u]);
      x[u] += step;
      for (size_t i = 0; i < rows.size(); ++i) left[i] -= step * rows[i][u];
    }
  for (size_t u = 0; u < kUnitCount; ++u) x[u] *= prior[u];
  return x;
}

Calibration measure_units(const CalibrateOptions& options, const Progress& progress) {
  require(!options.log_n.empty() && std::is_sorted(options.log_n.begin(), options.log_n.end()) &&
              options.log_n.front() >= 10 && options.log_n.back() <= 16 && options.repeats >= 1,
          ErrorKind::bad_argument,
          "calibrate: expected ring sizes from 10 to 16, ascending, and at least one repeat");
  Calibration out;
  out.units.source = "measured";
  out.units.isa = active_isa();
  double cpu = 0, wall = 0;
  i64 total = 0, done = 0;
  for (i64 log_n : options.log_n) total += i64(1) << log_n;
  for (i64 log_n : options.log_n) {
    SizeMeasurement(log_n, options, out).run(cpu, wall);
    done += i64(1) << log_n;
    if (progress) progress(done, total, "N = 2^" + std::to_string(log_n));
  }
  out.quiet = wall > 0 ? cpu / wall : 1;
  return out;
}

}  // namespace sinter::encrypted

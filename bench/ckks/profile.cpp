// SPDX-License-Identifier: Apache-2.0
// Where the time of a rotation goes: the loop of ckks/switch_limbs.cpp for one key and one thread,
// with a clock between its steps. The result is compared with rotate() bit for bit, so that what is
// timed is the rotation. CPU time; every step's figure is the median of several rotations.
//
// "transforms" is the number of transforms of a step times that of one on rows in the second-level
// cache. Floors, of the same run: transforms and conversions at the speed of a block that never
// leaves L1, and the bytes of keys and results at the speed of reading memory.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <numeric>

#include "base/error.h"
#include "base/timer.h"
#include "ckks/evaluate.h"
#include "ckks/rows.h"
#include "ring/kernels.h"
#include "ring/rns.h"

namespace sinter::bench {
namespace {

using ring::RnsPoly;
using ring::RnsRing;

constexpr int kRuns = 9, kGroup = 4;

enum Step { kDecompose, kExtend, kInner, kPrepare, kRemainder, kDivide, kPermute, kSteps };

/// All times are milliseconds of CPU time.
double median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + std::ssize(times) / 2, times.end());
  return times[times.size() / 2];
}

double median_ms(const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    const Timer timer;
    work();
    times.push_back(1e3 * timer.cpu_s());
  }
  return median(times);
}

class TimedRotation {
 public:
  explicit TimedRotation(Setup& s)
      : ring_(s.c().ring()),
        x_(s.x),
        key_(s.keys.galois(s.c(), 1, s.x.level())),
        level_(s.x.level()),
        pool_(s.pool),
        scratch_(ring_.make_poly(ring_.digit_count(level_) * kGroup + 2 * kGroup + 3)),
        out_{ring_.make_poly(level_ + 1), ring_.make_poly(level_ + 1)} {}

  /// Milliseconds of every step.
  std::array<double, kSteps> run() {
    steps_ = {};
    clock_ = Timer();
    digits_ = ring_.decompose(
        level_,
        [&](int i, std::span<u64> out) {
          std::copy_n(x_.part(1).limb(i).data(), std::ssize(out), out.data());
        },
        pool_);
    std::vector<RnsRing::Remainder> remainders;
    for (int half = 0; half < 2; ++half) remainders.push_back(ring_.make_remainder(level_, false));
    stop(kDecompose);
    const int q = level_ + 1, limbs = q + ring_.special_count();
    for (int first = q; first < limbs; first += kGroup) {
      const int last = std::min(first + kGroup, limbs);
      extend(first, last);
      for (int i = first; i < last; ++i)
        inner_product(i, i - first, ring_.remainder_row(remainders[0], i).data(),
                      ring_.remainder_row(remainders[1], i).data());
      stop(kInner);
    }
    ring_.prepare(remainders, pool_);
    stop(kPrepare);
    for (int first = 0; first < q; first += kGroup)
      quotients(remainders, first, std::min(first + kGroup, q));
    return steps_;
  }

  const RnsPoly& part(int half) const { return out_[size_t(half)]; }

 private:
  void stop(Step step) {
    steps_[step] += 1e3 * clock_.cpu_s();
    clock_ = Timer();
  }
  u64* row(int i) { return scratch_.limb(i).data(); }
  u64* digit_row(int d, int g) { return row(d * kGroup + g); }
  u64* remainder_row(int half, int g) { return row((digits_.count + half) * kGroup + g); }

  void extend(int first, int last) {
    for (int d = 0; d < digits_.count; ++d) {
      std::vector<RnsRing::LimbTarget> targets;
      for (int i = first; i < last; ++i)
        if (!ring_.is_own_limb(digits_, d, i)) targets.push_back({i, digit_row(d, i - first)});
      ring_.extend(digits_, d, targets);
    }
    stop(kExtend);
  }

  void inner_product(int i, int g, u64* out0, u64* out1) {
    std::vector<ring::PairTerm> terms;
    for (int d = 0; d < digits_.count; ++d)
      terms.push_back(
          {ring_.is_own_limb(digits_, d, i) ? x_.part(1).limb(i).data() : digit_row(d, g),
           key_.digits[size_t(d)].b.limb(i).data(), key_.digits[size_t(d)].a.limb(i).data()});
    ring::sum_products(terms, ring_.limb_modulus(level_, i), ring_.n(), out0, out1);
  }

  void quotients(const std::vector<RnsRing::Remainder>& remainders, int first, int last) {
    extend(first, last);
    for (int half = 0; half < 2; ++half) {
      std::vector<RnsRing::LimbTarget> targets;
      for (int i = first; i < last; ++i) targets.push_back({i, remainder_row(half, i - first)});
      ring_.remainder_limbs(remainders[size_t(half)], targets);
    }
    stop(kRemainder);
    u64* sums[] = {row(scratch_.limbs() - 1), row(scratch_.limbs() - 2)};
    for (int i = first; i < last; ++i) {
      const ring::Modulus& q = ring_.modulus(i);
      inner_product(i, i - first, sums[0], sums[1]);
      stop(kInner);
      for (int half = 0; half < 2; ++half) {
        u64* v = remainder_row(half, i - first);
        ring::subtract_and_scale(sums[half], v, q,
                                 ring_.divisor_inverse(remainders[size_t(half)], i), ring_.n(), v);
        if (half == 0) ring::add(v, x_.part(0).limb(i).data(), q, ring_.n(), v);
      }
      stop(kDivide);
      for (int half = 0; half < 2; ++half)
        ring::permute({remainder_row(half, i - first), size_t(ring_.n())}, key_.permutation,
                      out_[size_t(half)].limb(i));
      stop(kPermute);
    }
  }

  const RnsRing& ring_;
  const ckks::Ciphertext& x_;
  const ckks::SwitchingKey& key_;
  const int level_;
  ThreadPool& pool_;
  RnsRing::Digits digits_;
  RnsPoly scratch_;
  std::array<RnsPoly, 2> out_;
  std::array<double, kSteps> steps_{};
  Timer clock_;
};

/// Speeds of this machine, and of the kernels where memory is no matter.
struct Machine {
  double ghz, gigabytes_a_second;
  double forward_ns, inverse_ns, conversion_ns;  ///< of a butterfly, of a product, in L1
  double forward_ms, inverse_ms;                 ///< of a transform on rows in L2
};

/// Dependent additions take one cycle each.
double clock_ghz() {
  constexpr i64 kAdditions = 20'000'000;
  u64 x = 1;
  const double ms = median_ms([&] {
    for (i64 i = 0; i < kAdditions; ++i) __asm__ volatile("add $1, %0" : "+r"(x));
  });
  return double(kAdditions) / (ms * 1e6);
}

double read_gigabytes_a_second() {
  const std::vector<u64> memory(size_t(1) << 25, 3);  // 256 MiB
  u64 sum = 0;
  const double ms = median_ms([&] { sum += std::reduce(memory.begin(), memory.end()); });
  __asm__ volatile("" : : "r"(sum));
  return double(memory.size()) * 8 / (ms * 1e6);
}

/// A conversion of `from` to `to` limbs, its operands in L1: nanoseconds of one product.
double conversion_ns(const RnsRing& ring, int from, int to) {
  constexpr i64 kTile = 256, kRepeats = 40;
  std::vector<ring::Modulus> sources, targets;
  for (int i = 0; i < from; ++i) sources.push_back(ring.modulus(i));
  for (int i = 0; i < to; ++i) targets.push_back(ring.modulus(from + i));
  const ring::BaseConverter converter(sources, targets);
  const std::vector<u64> in(size_t(kTile), 1);
  std::vector<u64> out(static_cast<size_t>(kTile));
  const std::vector<const u64*> rows(size_t(from), in.data());
  std::vector<ring::BaseConverter::Target> each;
  for (int i = 0; i < to; ++i) each.push_back({i, out.data()});
  const double ms = median_ms([&] {
    for (i64 i = 0; i < kRepeats; ++i) converter.convert(rows, each, 0, kTile);
  });
  return 1e6 * ms / double(kRepeats * kTile * from * to);
}

Machine measure_machine(const RnsRing& ring) {
  constexpr i64 kBlock = 2048, kRepeats = 200;
  const ring::NttTables& tables = ring.ntt(0);
  std::vector<u64> block(size_t(kBlock), 1), row(size_t(ring.n()), 1);
  const auto butterfly_ns = [&](auto transform) {
    const double ms = median_ms([&] {
      for (i64 i = 0; i < kRepeats; ++i) transform(tables, block, active_isa());
    });
    return 1e6 * ms / double(kRepeats * kBlock / 2 * 11);
  };
  const auto transform_ms = [&](auto transform) {
    return median_ms([&] {
             for (int i = 0; i < kGroup; ++i) transform(ring.ntt(i), row, active_isa());
           }) /
           kGroup;
  };
  return {.ghz = clock_ghz(),
          .gigabytes_a_second = read_gigabytes_a_second(),
          .forward_ns = butterfly_ns(ring::ntt_forward),
          .inverse_ns = butterfly_ns(ring::ntt_inverse),
          .conversion_ns = conversion_ns(ring, ring.special_count(), ring.max_level()),
          .forward_ms = transform_ms(ring::ntt_forward),
          .inverse_ms = transform_ms(ring::ntt_inverse)};
}

struct Work {
  std::string name;
  int forward = 0, inverse = 0;  ///< transforms
  int products = 0;              ///< limb products of conversions
  int limbs_moved = 0;           ///< limbs that come from or go to memory
};

void print_steps(const std::vector<Work>& works, const std::array<double, kSteps>& steps,
                 const Machine& m, i64 n, double whole_ms) {
  const double butterflies = double(n) / 2 * double(std::countr_zero(u64(n))) * 1e-6;
  std::printf("%-66s %7s %9s %6s %11s %9s\n", "step", "CPU ms", "Mcycles", "share", "transforms",
              "floor ms");
  double sum = 0, floors = 0;
  for (size_t i = 0; i < works.size(); ++i) {
    const Work& w = works[i];
    const double floor = butterflies * (w.forward * m.forward_ns + w.inverse * m.inverse_ns) +
                         double(n) * 1e-6 * w.products * m.conversion_ns +
                         double(n) * 8e-6 * w.limbs_moved / m.gigabytes_a_second;
    std::printf("%-66s %7.2f %9.1f %5.0f%% %11.2f %9.2f\n", w.name.c_str(), steps[i],
                steps[i] * m.ghz, 100 * steps[i] / whole_ms,
                w.forward * m.forward_ms + w.inverse * m.inverse_ms, floor);
    sum += steps[i];
    floors += floor;
  }
  std::printf("%-66s %7.2f %9.1f %5.0f%% %11s %9.2f\n", "sum", sum, sum * m.ghz,
              100 * sum / whole_ms, "", floors);
  std::printf("%-66s %7.2f %9.1f\n", "rotate()", whole_ms, whole_ms * m.ghz);
}

}  // namespace

void print_rotation_profile() {
  Setup s(16, 24, 5, {1}, false);
  const RnsRing& ring = s.c().ring();
  const int q = s.x.level() + 1, p = ring.special_count(), d = ring.digit_count(s.x.level());
  TimedRotation rotation(s);
  rotation.run();
  const ckks::Ciphertext expected = rotate(s.c(), s.x, 1, s.keys, s.pool);
  for (int half = 0; half < 2; ++half)
    for (int i = 0; i < q; ++i)
      SINTER_ASSERT(std::ranges::equal(rotation.part(half).limb(i), expected.part(half).limb(i)));

  std::vector<double> whole, samples[kSteps];
  for (int i = 0; i < kRuns; ++i) {
    const std::array<double, kSteps> steps = rotation.run();
    for (size_t k = 0; k < kSteps; ++k) samples[k].push_back(steps[k]);
    const Timer timer;
    rotate(s.c(), s.x, 1, s.keys, s.pool);
    whole.push_back(1e3 * timer.cpu_s());
  }
  std::array<double, kSteps> steps{};
  for (size_t k = 0; k < kSteps; ++k) steps[k] = median(samples[k]);

  const Machine m = measure_machine(ring);
  std::printf(
      "rotation, %s, one thread, %s, %.2f GHz, %.1f GB/s; L1: %.2f / %.2f ns a butterfly, "
      "%.3f ns a product of a conversion\n",
      s.parameters.c_str(), std::string(name(active_isa())).c_str(), m.ghz, m.gigabytes_a_second,
      m.forward_ns, m.inverse_ns, m.conversion_ns);
  const int up = d * (q + p) - q;
  const auto text = [](int count) { return std::to_string(count); };
  print_steps(
      {{text(q) + " inverse transforms, digits scaled", 0, q, 0, 2 * q},
       {"digits extended: " + text(up) + " conversions and forward transforms", up, 0, up * p, q},
       {"inner product with " + text(2 * d * (q + p)) + " limbs of the key", 0, 0, 0,
        2 * d * (q + p)},
       {text(2 * p) + " inverse transforms, remainders scaled", 0, 2 * p, 0, 0},
       {"remainders modulo P: " + text(2 * q) + " conversions and forward transforms", 2 * q, 0,
        2 * q * p, 0},
       {"subtraction, division by P, sum", 0, 0, 0, q},
       {"permutation", 0, 0, 0, 2 * q}},
      steps, m, ring.n(), median(whole));
}

}  // namespace sinter::bench

// SPDX-License-Identifier: Apache-2.0
#include "encrypted/unit_costs.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <span>

#include "base/error.h"

namespace sinter::encrypted {
namespace {

constexpr double kScalarFactor = 3.7;  // docs/ckks.md section 9

/// Microseconds of each unit, in the order of Unit.
struct Row {
  i64 log_n;
  std::array<double, kUnitCount> microseconds;
};
// `sinter calibrate` on one core of an AMD EPYC (Zen 5), then drawn to what the operations of three
// programs took there (N = 2^13, 2^15 and 2^16), each within 20 %; at 2^16 more by 6 %, for
// operands and keys that were not used just before.
constexpr Row kAvx2[] = {
    {13, {14, 2.44, 8.46, 15, 0.579, 15.7, 14.7, 4.29, 0.5, 0.489, 18.3, 25.2, 8.7}},
    {14, {27.3, 5.22, 16.4, 16.4, 6.61, 26.6, 45.1, 10.7, 31.4, 7.46, 41.2, 46.5, 19}},
    {15, {55, 9.95, 26.8, 24.5, 26.7, 57.4, 151, 12.9, 83.5, 17.8, 87.8, 90.6, 47.8}},
    {16, {123, 25.7, 58.3, 40.3, 59.8, 126, 382, 24.1, 198, 41.3, 176, 224, 106}},
};
constexpr Row kAvx512[] = {
    {13, {10.5, 2.43, 9.32, 17.7, 0.5, 17.6, 20.1, 4.15, 1.08, 1.39, 20.5, 20.7, 6.7}},
    {14, {20.2, 5.57, 16.5, 16.5, 11.6, 27.4, 65.1, 11, 38, 8.4, 41.1, 38.7, 17.1}},
    {15, {42, 11.3, 28.3, 25.3, 21, 59.9, 150, 16.3, 95.4, 19.5, 80.9, 73.6, 37.4}},
    {16, {103, 18.2, 57.6, 61.2, 50.1, 127, 323, 34.1, 244, 48.4, 199, 173, 138}},
};

}  // namespace

std::string_view name(WorkKind kind) {
  constexpr std::array<std::string_view, kWorkKindCount> names = {"linear", "key_switch", "rescale",
                                                                  "encode"};
  return names[size_t(kind)];
}

double UnitCosts::of(const Work& work) const {
  double sum = 0;
  for (size_t u = 0; u < kUnitCount; ++u) sum += work[Unit(u)] * seconds[u];
  return sum;
}

double UnitCosts::of(const Work& work, WorkKind kind, int threads) const {
  const double serial = 2 / two_threads[size_t(kind)] - 1;
  return of(work) * (serial + (1 - serial) / double(threads));
}

UnitCosts UnitTable::at(i64 log_n) const {
  SINTER_ASSERT(!sizes.empty());
  const UnitCosts* nearest = &sizes.front();
  for (const UnitCosts& row : sizes)
    if (std::abs(row.log_n - log_n) < std::abs(nearest->log_n - log_n)) nearest = &row;
  UnitCosts row = *nearest;
  const double size = std::exp2(double(log_n - nearest->log_n));
  const double layers = double(log_n) / double(nearest->log_n);
  for (size_t u = 0; u < kUnitCount; ++u) {
    const bool is_transform =
        Unit(u) == Unit::transform || Unit(u) == Unit::encode || Unit(u) == Unit::embed;
    row.seconds[u] *= size * (is_transform ? layers : 1);
  }
  row.log_n = log_n;
  return row;
}

std::string UnitTable::text() const {
  u64 digest = 0xCBF29CE484222325u;  // FNV-1a over the bits
  const auto add = [&](double v) {
    for (u64 bits = std::bit_cast<u64>(v), i = 0; i < 8; ++i, bits >>= 8)
      digest = (digest ^ (bits & 0xFF)) * 0x100000001B3u;
  };
  for (const UnitCosts& row : sizes) {
    add(double(row.log_n));
    for (double v : row.seconds) add(v);
    for (double v : row.two_threads) add(v);
  }
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(digest));
  return source + ", " + std::string(name(isa)) + ", " + hex;
}

UnitTable built_in_units(Isa isa) {
  UnitTable table{"built in", isa, {}};
  const std::span<const Row> rows = isa == Isa::avx512ifma ? std::span(kAvx512) : std::span(kAvx2);
  const double factor = isa == Isa::scalar ? kScalarFactor : 1;
  for (const Row& row : rows) {
    UnitCosts& costs = table.sizes.emplace_back();
    costs.log_n = row.log_n;
    for (size_t u = 0; u < kUnitCount; ++u) costs.seconds[u] = row.microseconds[u] * 1e-6 * factor;
  }
  return table;
}

}  // namespace sinter::encrypted

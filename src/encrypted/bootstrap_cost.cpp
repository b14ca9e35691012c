// SPDX-License-Identifier: Apache-2.0
#include "encrypted/bootstrap_cost.h"

#include <algorithm>

namespace sinter::encrypted {
namespace {

/// Powers and sums of the sine that exist together, with the digits of their products, in
/// polynomials of the whole chain.
constexpr i64 kSinePolynomials = 40;

MapShape shape_of(const ckks::BootstrapOutline::Map& m) {
  return {m.diagonals, m.hoisted + 1, m.hoisted, m.giants + 1, m.giants, m.period};
}

}  // namespace

InstructionCost bootstrap_cost(const KeySwitching& ring, const ckks::BootstrapOutline& outline,
                               const UnitCosts& units) {
  InstructionCost cost;
  cost.kind = WorkKind::key_switch;
  cost.rotations = outline.rotations;
  cost.relinearisations = outline.sine_products;
  cost.work = double(outline.rotations) * switch_work(ring, outline.options.raise_level);
  for (const ckks::BootstrapOutline::Map& m : outline.maps) {
    const MapShape shape = shape_of(m);
    cost.diagonals += m.diagonals;
    cost.hoisted_rotations += m.hoisted;
    cost.rotations += m.giants;
    cost.work += linear_work(ring, m.level, shape, m.is_encoded_at_each_call);
    cost.work += rescale_work(m.level);
    if (m.is_encoded_at_each_call)
      cost.encoding += encode_work(ring, m.level, shape);
    else
      cost.plaintext_bytes += encoded_bytes(ring, m.level, shape);
  }
  // Most products come first, where the powers are made.
  const int level = outline.sine_level - outline.sine_depth / 3;
  cost.work += double(outline.sine_products) * (switch_work(ring, level) + rescale_work(level));
  cost.seconds = cost.seconds_on(1, units);
  return cost;
}

i64 bootstrap_factors(const KeySwitching& ring, const ckks::BootstrapOutline& outline) {
  i64 sum = 0;
  for (const ckks::BootstrapOutline::Map& m : outline.maps)
    if (!m.is_encoded_at_each_call) sum += encoded_bytes(ring, m.level, shape_of(m));
  return std::min(sum, outline.options.memory_budget);
}

i64 bootstrap_memory(const KeySwitching& ring, const ckks::BootstrapOutline& outline) {
  i64 largest = kSinePolynomials * ring.all(outline.options.raise_level) * ring.limb_bytes();
  for (const ckks::BootstrapOutline::Map& m : outline.maps)
    largest = std::max(largest, linear_memory(ring, m.level, shape_of(m)));
  return largest;
}

}  // namespace sinter::encrypted

// SPDX-License-Identifier: Apache-2.0
#include "encrypted/work.h"

#include <algorithm>
#include <cmath>

namespace sinter::encrypted {
namespace {

/// Products of limbs in extending all digits to all limbs.
double extension_products(const KeySwitching& ring, int level) {
  double products = 0;
  for (i64 left = level + 1; left > 0; left -= ring.special) {
    const i64 size = std::min(left, ring.special);
    products += double(size * (ring.all(level) - size));
  }
  return products;
}

double share(const KeySwitching& ring, i64 period) { return double(period) / double(ring.slots()); }

/// Of a transform in the subring that a period lies in, N log N.
double transform_share(const KeySwitching& ring, i64 period) {
  return share(ring, period) * (1 + std::log2(double(period))) / double(ring.log_n);
}

/// What decides whether a map's giants are taken together (ckks/linear_apply.cpp).
struct GroupBytes {
  i64 pair = 0;             ///< a sum of every image
  i64 made = 0;             ///< diagonals encoded on the fly
  i64 all = 0, babies = 0;  ///< of all giants; of the babies kept when not all are taken together

  GroupBytes(const KeySwitching& ring, int level, const MapShape& map, bool making, i64 images)
      : pair(2 * images * ring.all(level) * ring.limb_bytes()),
        made(making ? 2 * map.period * i64(sizeof(u64)) * (map.diagonals + map.giant_sums) : 0),
        all(map.giant_sums * pair + made),
        babies(map.babies * pair) {}
  bool are_together(i64 work_bytes) const { return all <= std::max(work_bytes, babies); }
};

}  // namespace

std::string_view name(Unit unit) {
  constexpr std::array<std::string_view, kUnitCount> names = {
      "transform", "convert", "key_product",  "baby_product", "baby",   "giant", "sum",
      "product",   "kept",    "kept_product", "embed",        "encode", "pass"};
  return names[size_t(unit)];
}

Work& Work::operator+=(const Work& other) {
  for (size_t u = 0; u < kUnitCount; ++u) count_[u] += other.count_[u];
  return *this;
}

Work operator*(double factor, Work a) {
  for (double& count : a.count_) count *= factor;
  return a;
}

Work switch_work(const KeySwitching& ring, int level) {
  Work work;
  if (ring.special == 0) return work;
  const double limbs = level + 1, all = double(ring.all(level)),
               digits = double(ring.digits(level));
  work[Unit::transform] = (digits + 2) * all;
  work[Unit::convert] = extension_products(ring, level) + 2 * double(ring.special) * limbs;
  work[Unit::key_product] = digits * all;
  work[Unit::pass] = 2 * limbs;
  return work;
}

Work rescale_work(int level) {
  Work work;
  work[Unit::transform] = 2 * double(level + 1);
  work[Unit::pass] = double(level);
  return work;
}

Work linear_work(const KeySwitching& ring, int level, const MapShape& map, bool making,
                 i64 work_bytes) {
  Work work;
  const double limbs = level + 1, all = double(ring.all(level)),
               digits = double(ring.digits(level));
  const double special = double(ring.special), giants = double(map.giants);
  const double extension = ring.special == 0 ? 0 : extension_products(ring, level);
  work[Unit::transform] = 2 * all + giants * (digits + 1) * all;
  work[Unit::convert] = 2 * special * limbs + giants * (special * limbs + extension);
  if (map.hoisted > 0) {
    work[Unit::transform] += digits * all;
    work[Unit::convert] += extension;
    work[Unit::pass] += digits * all / 2;
  }
  work[Unit::baby_product] = double(map.hoisted) * digits * all;
  work[Unit::baby] = double(map.babies) * all;
  work[Unit::product] = double(map.diagonals) * all;
  work[Unit::key_product] = giants * digits * all;
  work[Unit::giant] = giants * all;
  work[Unit::sum] = all * double(map.giant_sums);
  if (map.giant_sums > 1 && !GroupBytes(ring, level, map, making, 1).are_together(work_bytes)) {
    work[Unit::kept_product] = double(map.diagonals) * all;
    work[Unit::kept] = double(map.babies) * all;
  }
  return work;
}

Work encode_work(const KeySwitching& ring, int level, const MapShape& map) {
  Work work;
  // Two real diagonals share an embedding and their transforms.
  work[Unit::embed] = double((map.diagonals + 1) / 2) * transform_share(ring, map.period);
  work[Unit::encode] = work[Unit::embed] * double(ring.all(level));
  return work;
}

Work encode_vector_work(const KeySwitching& ring, int level, i64 period) {
  Work work;
  work[Unit::embed] = transform_share(ring, period);
  work[Unit::encode] = work[Unit::embed] * double(level + 1);
  work[Unit::pass] = double(level + 1);
  return work;
}

i64 encoded_bytes(const KeySwitching& ring, int level, const MapShape& map) {
  return i64(0.5 * double(map.diagonals * ring.all(level) * ring.limb_bytes()) *
             share(ring, map.period));  // half of the transform of a real diagonal is enough
}

i64 linear_memory(const KeySwitching& ring, int level, const MapShape& map, i64 work_bytes,
                  i64 images) {
  const i64 fixed = (ring.digits(level) + 4) * ring.all(level) * ring.limb_bytes() * images;
  const GroupBytes group(ring, level, map, true, images);
  if (map.giant_sums <= 1 || group.are_together(work_bytes)) return fixed + group.all;
  return fixed + group.babies + std::max(work_bytes, group.pair + group.made / map.giant_sums);
}

}  // namespace sinter::encrypted

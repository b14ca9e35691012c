// SPDX-License-Identifier: Apache-2.0
#include "serve/map_cut.h"

#include <algorithm>

#include "base/error.h"

namespace sinter::serve {
namespace {

constexpr int kChunks = 2;  // of the limbs of a part

}  // namespace

MapOutline outline_of(const ckks::LinearPlan& plan, int level, i64 special) {
  MapOutline outline{level + 1 + int(special), {}, plan.form == ckks::GiantForm::horner};
  for (size_t g = 0; g < plan.giants.size(); ++g)
    if (plan.giants[g].steps != 0) outline.switched.push_back(i64(g));
  SINTER_ASSERT(outline.limbs <= PartId::kMaxLimbs &&
                std::ssize(plan.giants) <= PartId::kMaxGiants);
  return outline;
}

std::optional<PartId> PartId::of(u32 number) {
  if (number >> 30 > u32(PartKind::giants)) return std::nullopt;
  return PartId{PartKind(number >> 30), int(number >> 20 & u32(kMaxLimbs - 1)),
                i64(number & u32(kMaxGiants - 1))};
}

MapCut::MapCut(const MapOutline& outline, i64 parts) : outline_(outline), parts_(parts) {
  require(parts >= 1 && parts <= most_parts(outline), ErrorKind::bad_input,
          "linear map: expected 1 to ", most_parts(outline), " parts, found ", parts);
  const int own = limbs(parts - 1).size();
  chunk_ = (own + kChunks - 1) / kChunks;
}

ckks::LimbRange MapCut::limbs(i64 part) const {
  return {int(outline_.limbs * part / parts_), int(outline_.limbs * (part + 1) / parts_)};
}

i64 MapCut::border(i64 part) const {
  const i64 count = std::ssize(outline_.switched);
  if (outline_.is_chain) return part == 0 ? 0 : count;
  return (count * part + parts_ - 1) / parts_;
}

std::pair<i64, i64> MapCut::giants(i64 part) const {
  const i64 first = border(part), last = border(part + 1);
  if (first == last) return {0, 0};
  if (outline_.is_chain) return {0, outline_.switched.back() + 1};
  return {outline_.switched[size_t(first)], outline_.switched[size_t(last) - 1] + 1};
}

i64 MapCut::owner(i64 giant) const {
  const auto at = std::ranges::lower_bound(outline_.switched, giant) - outline_.switched.begin();
  i64 part = 0;
  while (part + 1 < parts_ && border(part + 1) <= at) ++part;
  return part;
}

std::vector<int> MapCut::chunks(i64 part) const {
  const ckks::LimbRange own = limbs(part);
  std::vector<int> firsts;
  for (int first = own.first; first < own.last; first += chunk_) firsts.push_back(first);
  return firsts;
}

std::vector<PartId> MapCut::sums(i64 from, i64 to) const {
  std::vector<PartId> all;
  for (int limb : chunks(from)) {
    for (i64 s = border(to); s < border(to + 1); ++s)
      all.push_back({PartKind::row, limb, outline_.switched[size_t(s)]});
    if (to == 0) all.push_back({PartKind::limbs, limb, 0});
  }
  return all;
}

std::vector<PartId> MapCut::terms(i64 part) const {
  std::vector<PartId> all;
  for (int limb : chunks(part)) all.push_back({PartKind::limbs, limb, 0});
  if (switch_count(part) > 0) all.push_back({PartKind::giants, 0, giants(part).first});
  return all;
}

i64 MapCut::term_count() const {
  i64 count = 0;
  for (i64 part = 0; part < parts_; ++part) count += std::ssize(terms(part));
  return count;
}

int MapCut::limbs_of(const PartId& id) const {
  if (id.kind == PartKind::giants) return outline_.limbs;
  i64 part = 0;
  while (part + 1 < parts_ && limbs(part + 1).first <= id.limb) ++part;
  return std::min(chunk_, limbs(part).last - id.limb);
}

}  // namespace sinter::serve

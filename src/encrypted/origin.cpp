// SPDX-License-Identifier: Apache-2.0
#include "encrypted/origin.h"

#include "base/error.h"

namespace sinter::encrypted {
namespace {

/// Calls change(origin, member's part of v) for every member.
template <class Change>
Origins changed(Origins origins, std::span<const double> v, const Change& change) {
  if (v.empty() || origins.empty()) return origins;
  SINTER_ASSERT(v.size() % origins.size() == 0);
  const size_t size = v.size() / origins.size();
  for (size_t m = 0; m < origins.size(); ++m) change(origins[m], v.subspan(m * size, size));
  return origins;
}

}  // namespace

std::vector<double> Origin::expected(std::span<const double> graph_value, i64 size) const {
  std::vector<double> v(static_cast<size_t>(size));
  for (size_t e = 0; e < v.size(); ++e) {
    const size_t from = element.empty() ? e : size_t(element[e]);
    SINTER_ASSERT(from < graph_value.size());
    v[e] = (scale.empty() ? 1 : scale[e]) * graph_value[from] + (offset.empty() ? 0 : offset[e]);
  }
  return v;
}

Origins scaled(Origins of_v, std::span<const double> factor) {
  return changed(std::move(of_v), factor, [](Origin& o, std::span<const double> f) {
    o.scale.resize(f.size(), 1.0);
    for (size_t e = 0; e < f.size(); ++e) o.scale[e] *= f[e];
    for (size_t e = 0; e < o.offset.size(); ++e) o.offset[e] *= f[e];
  });
}

Origins shifted(Origins of_v, std::span<const double> shift) {
  return changed(std::move(of_v), shift, [](Origin& o, std::span<const double> s) {
    o.offset.resize(s.size(), 0.0);
    for (size_t e = 0; e < s.size(); ++e) o.offset[e] += s[e];
  });
}

Origins before_affine(Origins of_v, std::span<const double> d, std::span<const double> bias) {
  std::vector<double> minus(bias.begin(), bias.end()), inverse(d.begin(), d.end());
  for (double& b : minus) b = -b;
  for (double& f : inverse) f = 1 / f;
  return scaled(shifted(std::move(of_v), minus), inverse);
}

Origins selected(Origins of_v, std::span<const i64> element) {
  if (of_v.size() != 1) return {};
  Origin& o = of_v[0];
  Origin s{o.value, {}, {}, {}};
  for (const i64 e : element) {
    s.element.push_back(o.element.empty() ? e : o.element[size_t(e)]);
    if (!o.scale.empty()) s.scale.push_back(o.scale[size_t(e)]);
    if (!o.offset.empty()) s.offset.push_back(o.offset[size_t(e)]);
  }
  o = std::move(s);
  return of_v;
}

}  // namespace sinter::encrypted

// SPDX-License-Identifier: Apache-2.0
// What changes the level of a ciphertext: rescale, drop, match.
#include <algorithm>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/detail/for_limbs.h"
#include "ckks/evaluate.h"
#include "ring/rns.h"

namespace sinter::ckks {

using ring::RnsPoly;

namespace {

Ciphertext dropped(const Context& context, const Ciphertext& x, int level, ThreadPool* pool) {
  detail::check_ciphertext(context, x, "drop_to_level");
  detail::check_level(context, level, "drop_to_level");
  require(level <= x.level(), ErrorKind::out_of_levels, "drop_to_level: expected a level of 0 to ",
          x.level(), " (the ciphertext's), found ", level);
  std::vector<RnsPoly> parts;
  for (int i = 0; i < x.parts(); ++i) parts.push_back(context.ring().make_poly(level + 1));
  detail::for_limbs(context, level + 1, pool, [&](int i) {
    for (size_t k = 0; k < parts.size(); ++k)
      std::copy_n(x.part(int(k)).limb(i).data(), context.n(), parts[k].limb(i).data());
  });
  return {std::move(parts), x.scale(), level, x.params_hash()};
}

}  // namespace

Ciphertext rescale(const Context& context, const Ciphertext& x, ThreadPool& pool) {
  detail::check_ciphertext(context, x, "rescale");
  require(x.level() >= 1, ErrorKind::out_of_levels,
          "rescale: expected a ciphertext of level 1 or more, found level 0");
  std::vector<const RnsPoly*> parts;
  for (int i = 0; i < x.parts(); ++i) parts.push_back(&x.part(i));
  return {context.ring().rescale(parts, x.level(), pool),
          x.scale() / double(context.params().q(x.level())), x.level() - 1, x.params_hash()};
}

Ciphertext drop_to_level(const Context& context, const Ciphertext& x, int level) {
  return dropped(context, x, level, nullptr);
}

Ciphertext drop_to_level(const Context& context, const Ciphertext& x, int level, ThreadPool& pool) {
  return dropped(context, x, level, &pool);
}

Ciphertext match_level_and_scale(const Context& context, const Ciphertext& x, int level,
                                 double scale, ThreadPool& pool) {
  detail::check_ciphertext(context, x, "match_level_and_scale");
  detail::check_scale(scale, "match_level_and_scale");
  detail::check_level(context, level, "match_level_and_scale");
  require(level <= x.level(), ErrorKind::out_of_levels,
          "match_level_and_scale: expected a level of 0 to ", x.level(),
          " (the ciphertext's), found ", level);
  Ciphertext out;
  if (level == x.level()) {
    detail::check_same_scale(scale, x.scale(), "match_level_and_scale");
    out = x.clone();
    out.set_origin({});
  } else {
    const double factor = scale * double(context.params().q(level + 1)) / x.scale();
    require(factor >= 0x1p10, ErrorKind::bad_argument,
            "match_level_and_scale: expected scales whose quotient with the prime is at least "
            "2^10, found ",
            factor);
    out = rescale(context,
                  multiply_by_constant(context, drop_to_level(context, x, level + 1), 1.0, factor),
                  pool);
  }
  out.set_scale(scale);
  return out;
}

}  // namespace sinter::ckks

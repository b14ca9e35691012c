// SPDX-License-Identifier: Apache-2.0
// The estimates that travel beside a computation against the errors that are measured: never
// exceeded by more than a quarter, and not larger than four times the truth.
#include <gtest/gtest.h>

#include <cmath>

#include "ckks/encrypt.h"
#include "ckks/linear.h"
#include "ckks/noise.h"
#include "support.h"

namespace sinter::ckks {
namespace {

/// Slots of +-magnitude: errors of products then have one deviation.
std::vector<double> signs(Rng& rng, i64 count, double magnitude) {
  std::vector<double> x(static_cast<size_t>(count));
  for (double& v : x) v = rng.below(2) == 0 ? magnitude : -magnitude;
  return x;
}

void expect_error(const Party& p, const Ciphertext& x, const std::vector<double>& exact,
                  const SlotEstimate& estimate, const char* what) {
  const std::vector<double> found = p.decrypted(x);
  double square = 0, largest = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    square += (found[i] - exact[i]) * (found[i] - exact[i]) / double(exact.size());
    largest = std::max(largest, std::abs(exact[i]));
  }
  EXPECT_LE(std::sqrt(square), 1.25 * estimate.error) << what;
  EXPECT_GE(std::sqrt(square), estimate.error / 4) << what;
  EXPECT_LE(largest, estimate.magnitude * (1 + 1e-9)) << what;
}

CkksOptions noisy() {
  CkksOptions o = small_options(11, 3, 2);
  o.log_q = {40, 30, 30, 30};
  o.log_p = {40, 40};
  o.log_scale = 30;
  return o;
}

struct Scene {
  Party p{noisy()};
  const CkksParams& params = p.c().params();
  Rng rng{test_seed()};
  EvaluationKeys keys;
  std::vector<double> a, b;
  Ciphertext x, y;
  SlotEstimate ex, ey;

  Scene() : keys(p.keys(manifest(p))) {
    a = signs(rng, p.c().slots(), 3);
    b = signs(rng, p.c().slots(), 0.5);
    x = p.encrypt(a);
    y = p.encrypt(b);
    ex = estimate_fresh(params, 3, p.scale());
    ey = estimate_fresh(params, 0.5, p.scale());
  }
  static KeyManifest manifest(const Party& p) {
    KeyManifest m;
    m.relinearisation_level = p.c().max_level();
    for (i64 r = 1; r < 64; ++r) m.add_rotation(r, p.c().max_level(), p.c().slots());
    return m;
  }
};

TEST(Estimate, encryption_addition_and_rotation) {
  Scene r;
  expect_error(r.p, r.x, r.a, r.ex, "fresh");
  const PublicKey key = generate_public_key(r.p.c(), r.p.secret, r.p.rng);
  const Ciphertext open =
      encrypt_public(r.p.c(), key, encode(r.p.c(), r.a, r.p.scale(), 3), r.p.rng);
  expect_error(r.p, open, r.a, estimate_public(r.params, 3, r.p.scale()), "public");
  std::vector<double> sum = r.a;
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += r.b[i];
  Ciphertext z = r.x.clone();
  add_inplace(r.p.c(), z, r.y);
  expect_error(r.p, z, sum, estimate_add(r.ex, r.ey), "add");
  expect_error(r.p, rotate(r.p.c(), r.x, 5, r.keys, r.p.pool), rotated(r.a, 5),
               estimate_key_switch(r.params, 3, r.p.scale(), r.ex), "rotate");
}

TEST(Estimate, products_and_rescales_down_the_chain) {
  Scene r;
  const double scale = r.p.scale();
  std::vector<double> product = r.a, square = r.a;
  for (size_t i = 0; i < product.size(); ++i) product[i] *= r.b[i], square[i] *= r.a[i];
  Ciphertext z = multiply_relinearise(r.p.c(), r.x, r.y, r.keys, r.p.pool);
  SlotEstimate ez = estimate_multiply(r.params, 3, z.scale(), r.ex, r.ey);
  expect_error(r.p, z, product, ez, "multiply");
  z = rescale(r.p.c(), z, r.p.pool);
  ez = estimate_rescale(r.params, z.scale(), ez);
  expect_error(r.p, z, product, ez, "rescale");
  Ciphertext s = square_relinearise(r.p.c(), r.x, r.keys, r.p.pool);
  SlotEstimate es = estimate_square(r.params, 3, s.scale(), r.ex);
  expect_error(r.p, s, square, es, "square");
  s = rescale(r.p.c(), s, r.p.pool);
  es = estimate_rescale(r.params, s.scale(), es);
  std::vector<double> fourth = square;
  for (double& v : fourth) v *= v;
  Ciphertext f = square_relinearise(r.p.c(), s, r.keys, r.p.pool);
  f = rescale(r.p.c(), f, r.p.pool);
  es = estimate_rescale(r.params, f.scale(),
                        estimate_square(r.params, 2, s.scale() * s.scale(), es));
  expect_error(r.p, f, fourth, es, "fourth power");
  EXPECT_NEAR(precision_estimate(es), std::log2(81 / es.error), 1e-9);
  // The same as a polynomial of depth two with slope 4 |x|^3.
  const SlotEstimate poly = estimate_polynomial(r.params, scale, 81, 4 * 27, 2, r.ex);
  EXPECT_NEAR(std::log2(poly.error / es.error), 0, 1.5);
}

TEST(Estimate, plain_factors_and_linear_maps) {
  Scene r;
  const double plain_scale = 0x1p16;  // coarse on purpose
  Rng rng(test_seed() + 1);
  const std::vector<double> w = signs(rng, r.p.c().slots(), 2);
  std::vector<double> exact = r.a;
  for (size_t i = 0; i < exact.size(); ++i) exact[i] *= w[i];
  expect_error(r.p, multiply_plain(r.p.c(), r.x, encode(r.p.c(), w, plain_scale, 3)), exact,
               estimate_multiply_plain(r.params, 2, plain_scale, r.ex), "multiply_plain");
  const i64 count = 24;
  std::vector<i64> indices;
  std::vector<std::vector<double>> diagonals;
  for (i64 d = 0; d < count; ++d) {
    indices.push_back(d);
    diagonals.push_back(signs(rng, r.p.c().slots(), 0.25));
  }
  std::vector<double> sum(r.a.size(), 0.0);
  for (i64 d = 0; d < count; ++d) {
    const std::vector<double> turned = rotated(r.a, d);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += diagonals[size_t(d)][i] * turned[i];
  }
  const LinearPlan plan = plan_linear(indices, r.p.c().slots(), 8);
  const DiagonalSource source{[&](i64 index, std::span<double> out) {
                                std::ranges::copy(diagonals[size_t(index)], out.begin());
                              },
                              r.p.c().slots()};
  const Ciphertext z = apply_linear(r.p.c(), plan, source, plain_scale, r.x, r.keys, r.p.pool);
  const LinearGain gain{count, plan.giant_count(), 0.25 * std::sqrt(double(count)),
                        0.25 * double(count), plain_scale};
  expect_error(r.p, z, sum, estimate_linear(r.params, 3, r.p.scale(), gain, r.ex), "linear");
}

TEST(Estimate, a_value_without_error_has_every_bit_and_a_bootstrap_keeps_its_presets) {
  EXPECT_EQ(precision_estimate({1, 0}), 60);
  EXPECT_NEAR(precision_estimate(estimate_bootstrap(15, {4, 0})), 15, 1e-9);
  EXPECT_LT(precision_estimate(estimate_bootstrap(15, {4, 0x1p-13})), 14.51);
}

}  // namespace
}  // namespace sinter::ckks

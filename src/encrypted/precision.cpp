// SPDX-License-Identifier: Apache-2.0
#include "encrypted/precision.h"

#include <algorithm>
#include <cmath>

#include "encrypted/client.h"
#include "encrypted/simulate.h"

namespace sinter::encrypted {
namespace {

constexpr u64 kNoiseSeed = 1, kNoiseRuns = 4;
constexpr i64 kNoiseImages = 4;

using Slots = std::vector<double>;

/// Sums of squared errors over the runs of one image.
class ImageErrors {
 public:
  ImageErrors(const EncryptedProgram& program, const Tensor& image)
      : p_(program), results_(layer_results(program)), input_(pack_input(program, image)) {
    exact_.resize(p_.layers.size());
    squares_.assign(p_.layers.size(), 0.0);
    output_exact_ = simulate(p_, input_, {0, [&](i64 k, std::span<const double> slots) {
                                            if (is_result(k))
                                              exact_[layer_of(k)] =
                                                  Slots(slots.begin(), slots.end());
                                          }});
    output_squares_.assign(p_.output_slots.size(), 0.0);
  }

  void add_run(u64 seed) {
    const Slots noisy = simulate(p_, input_, {seed, [&](i64 k, std::span<const double> slots) {
                                                if (!is_result(k)) return;
                                                const Slots& exact = exact_[layer_of(k)];
                                                for (size_t s = 0; s < slots.size(); ++s)
                                                  squares_[layer_of(k)] +=
                                                      std::pow(slots[s] - exact[s], 2);
                                              }});
    const i64 period = p_.instructions.back().period;
    for (size_t e = 0; e < output_squares_.size(); ++e)
      for (i64 s = p_.output_slots[e]; s < p_.slots(); s += period)
        output_squares_[e] += std::pow(noisy[size_t(s)] - output_exact_[size_t(s)], 2);
  }

  /// Raises `errors` to what `runs` runs of this image showed.
  void raise(u64 runs, PredictedErrors& errors) const {
    const double copies = double(p_.slots() / p_.instructions.back().period);
    for (double sum : output_squares_)
      errors.output = std::max(errors.output, std::sqrt(sum / (double(runs) * copies)));
    for (size_t l = 0; l < squares_.size(); ++l)
      errors.layers[l] =
          std::max(errors.layers[l], std::sqrt(squares_[l] / (double(runs) * double(p_.slots()))));
  }

 private:
  size_t layer_of(i64 k) const { return size_t(p_.instructions[size_t(k)].layer); }
  bool is_result(i64 k) const { return results_[layer_of(k)] == k; }

  const EncryptedProgram& p_;
  std::vector<i32> results_;
  std::vector<Slots> input_, exact_;
  Slots output_exact_, squares_, output_squares_;
};

}  // namespace

PredictedErrors predict_errors(const EncryptedProgram& program, std::span<const Tensor> images,
                               ThreadPool& pool) {
  const i64 count = std::min<i64>(kNoiseImages, std::ssize(images));
  const PredictedErrors none{0, std::vector<double>(program.layers.size(), 0.0)};
  std::vector<PredictedErrors> of_image(size_t(count), none);
  pool.run(count, [&](i64 image, i64) {
    ImageErrors one(program, images[size_t(image * std::ssize(images) / count)]);
    for (u64 run = 0; run < kNoiseRuns; ++run)
      one.add_run(kNoiseSeed + u64(image) * kNoiseRuns + run);
    one.raise(kNoiseRuns, of_image[size_t(image)]);
  });
  PredictedErrors errors = none;
  for (const PredictedErrors& one : of_image) {
    errors.output = std::max(errors.output, one.output);
    for (size_t l = 0; l < errors.layers.size(); ++l)
      errors.layers[l] = std::max(errors.layers[l], one.layers[l]);
  }
  return errors;
}

std::vector<i32> layer_results(const EncryptedProgram& program) {
  std::vector<i32> results(program.layers.size(), -1);
  for (size_t k = 0; k < program.instructions.size(); ++k)
    results[size_t(program.instructions[k].layer)] = i32(k);
  return results;
}

}  // namespace sinter::encrypted

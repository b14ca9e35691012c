// SPDX-License-Identifier: Apache-2.0
// The trained network of models/pcnn-fashion, compiled for CKKS and run encrypted at the secure
// parameters of its scheme, against float32.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/encoder.h"
#include "ckks/precision.h"
#include "ckks/secret_key.h"
#include "encrypted/client.h"
#include "encrypted/compile.h"
#include "encrypted/execute.h"
#include "encrypted/serialize.h"
#include "encrypted/simulate.h"
#include "graph/evaluate.h"
#include "onnx/import.h"

namespace sinter::encrypted {
namespace {

const std::string kFolder = std::string(SINTER_SOURCE_DIR) + "/models/pcnn-fashion/";

/// Elements `first`.. of an npy file of u8 images, as value = pixel * 2/255 - 1.
std::vector<Tensor> images(const std::string& name, i64 count) {
  const auto file = MappedFile::open(kFolder + name);
  const auto bytes = file->bytes();
  const i64 header = 10 + i64(u8(bytes[8])) + 256 * i64(u8(bytes[9])), size = 32 * 32;
  std::vector<Tensor> all;
  for (i64 n = 0; n < count; ++n) {
    Tensor t(DType::f32, {1, 1, 32, 32});
    for (i64 i = 0; i < size; ++i)
      t.mutable_data<float>()[size_t(i)] =
          float(double(u8(bytes[size_t(header + n * size + i)])) * 2 / 255 - 1);
    all.push_back(std::move(t));
  }
  return all;
}

const Graph& model() {
  static const Graph graph = import_onnx(kFolder + "model.onnx");
  return graph;
}

const Compiled& compiled() {
  static const Compiled result = compile(model(), images("calibration.npy", 64), CompileOptions());
  return result;
}

std::vector<double> float32_logits(const Tensor& image) {
  std::vector<Tensor> one;
  one.push_back(image.clone());
  const Tensor y = std::move(evaluate(model(), one)[0]);
  std::vector<double> logits;
  for (i64 e = 0; e < y.size(); ++e) logits.push_back(y.as_double(e));
  return logits;
}

i64 argmax(std::span<const double> v) { return std::max_element(v.begin(), v.end()) - v.begin(); }

double largest(std::span<const double> v) {
  double result = 0;
  for (double x : v) result = std::max(result, std::abs(x));
  return result;
}

std::vector<double> read_logits(const std::vector<double>& slots) {
  const Tensor y = unpack_output(*compiled().program, slots);
  std::vector<double> logits;
  for (i64 e = 0; e < y.size(); ++e) logits.push_back(y.as_double(e));
  return logits;
}

TEST(PcnnEncrypted, takes_eleven_levels_with_four_patches_in_one_ciphertext) {
  const Timer timer;
  const Explanation& e = compiled().explanation;
  for (const LayerRow& row : e.layers)
    std::printf(
        "  %-44s %-18s %2d -> %2d  %-14s diagonals %3d  hoisted %2d  full %2d  range %8.3f\n",
        row.name.c_str(), row.op.c_str(), row.level_in, row.level_out, row.method.c_str(),
        int(row.diagonals), int(row.hoisted_rotations), int(row.rotations), row.range);
  std::printf(
      "  %s\n  levels %d fused, %d unfused; %d diagonals, %d hoisted, %d full rotations, "
      "%d keys of %.0f MB, predicted %.1f s, compiled in %.1f s, program %.1f MB\n",
      e.security.c_str(), e.depth, e.depth_unfused, int(e.diagonals), int(e.hoisted_rotations),
      int(e.rotations), int(e.key_count), double(e.key_bytes) * 1e-6, e.seconds, timer.wall_s(),
      double(save_program(*compiled().program).size()) * 1e-6);
  EXPECT_EQ(e.depth, 11);
  EXPECT_EQ(e.patches_merged, 4);
  EXPECT_GE(e.depth_unfused, e.depth + 15);
  EXPECT_TRUE(e.notes.empty());
  EXPECT_LE(e.log2_qp, e.log2_qp_limit);
}

TEST(PcnnEncrypted, the_simulation_gives_the_float32_class_on_twenty_images) {
  double worst = 0;
  for (const Tensor& image : images("test200.npy", 20)) {
    const std::vector<double> expected = float32_logits(image);
    SimulateOptions noisy;
    noisy.noise_seed = 1;
    const std::vector<double> found =
        read_logits(simulate(*compiled().program, pack_input(*compiled().program, image), noisy));
    EXPECT_EQ(argmax(found), argmax(expected));
    for (size_t i = 0; i < found.size(); ++i)
      worst = std::max(worst, std::abs(found[i] - expected[i]) / largest(expected));
  }
  std::printf("  largest difference / largest |logit| with simulated noise: %.2e\n", worst);
  EXPECT_LE(worst, 1e-3);
}

TEST(PcnnEncrypted, encrypted_logits_agree_with_float32_to_a_thousandth) {
  const EncryptedProgram& program = *compiled().program;
  const auto context = ckks::Context::create(program.params);
  ThreadPool pool(1);
  ring::SecretRng rng;
  Timer timer;
  const ckks::SecretKey secret = ckks::generate_secret_key(*context, rng);
  const ckks::EvaluationKeys keys =
      ckks::generate_evaluation_keys(*context, secret, program.keys, rng, pool);
  std::printf("  keys: %.1f s, %.0f MB\n", timer.wall_s(), double(keys.bytes()) * 1e-6);
  DiagonalCache cache(program, i64(2) << 30);
  for (const Tensor& image : images("test200.npy", 2)) {
    const ckks::Ciphertext in =
        ckks::encrypt_symmetric(*context, secret, encode_input(program, *context, image)[0], rng);
    const Timer run;
    const ckks::Ciphertext out =
        execute(program, *context, keys, std::span(&in, 1), pool, {&cache, {}});
    const double wall = run.wall_s(), cpu = run.cpu_s();
    const std::vector<double> found =
        read_logits(ckks::decode(*context, ckks::decrypt(*context, secret, out)));
    const std::vector<double> expected = float32_logits(image);
    const ckks::Precision precision = ckks::compare(found, expected);
    const double relative = precision.max_error / largest(expected);
    std::printf("  image: %.1f s wall, %.1f s CPU; %s; relative %.2e; class %d; peak %.2f GiB\n",
                wall, cpu, precision.text().c_str(), relative, int(argmax(found)),
                double(peak_memory_bytes()) / double(1 << 30));
    EXPECT_EQ(argmax(found), argmax(expected));
    EXPECT_LE(relative, 1e-3);
    EXPECT_LE(cpu, 30);
  }
}

}  // namespace
}  // namespace sinter::encrypted

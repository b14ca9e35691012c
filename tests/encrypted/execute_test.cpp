// SPDX-License-Identifier: Apache-2.0
// Programs on ciphertexts, at small rings without security.
#include "encrypted/execute.h"

#include <cmath>
#include <complex>

#include "ckks/encoder.h"
#include "ckks/precision.h"
#include "ckks/secret_key.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

struct Session {
  std::shared_ptr<const EncryptedProgram> program;
  std::shared_ptr<const ckks::Context> context;
  ring::SecretRng rng;
  ckks::SecretKey secret;
  ThreadPool pool{1};

  explicit Session(std::shared_ptr<const EncryptedProgram> p)
      : program(std::move(p)),
        context(ckks::Context::create(program->params)),
        secret(ckks::generate_secret_key(*context, rng)) {}

  ckks::EvaluationKeys keys(const ckks::KeyManifest& manifest) {
    return ckks::generate_evaluation_keys(*context, secret, manifest, rng, pool);
  }
  std::vector<ckks::Ciphertext> encrypt(const Tensor& input) {
    std::vector<ckks::Ciphertext> all;
    for (const ckks::Plaintext& plain : encode_input(*program, *context, input))
      all.push_back(ckks::encrypt_symmetric(*context, secret, plain, rng));
    return all;
  }
  std::vector<double> decrypt(const ckks::Ciphertext& ct) {
    return ckks::decode(*context, ckks::decrypt(*context, secret, ct));
  }
};

/// log_n = 11 or 12 with three special primes: small, insecure and fast.
CompileOptions small_options(i64 log_n) {
  CompileOptions options = test_options(log_n);
  options.scheme.log_p = {48, 48, 48};
  return options;
}

void expect_close(const Graph& g, i64 log_n, u64 seed, double min_bits) {
  const std::vector<Tensor> inputs = inputs_for(g, seed, 1);
  const Compiled compiled = compile(g, inputs, small_options(log_n));
  Session s(compiled.program);
  const ckks::EvaluationKeys keys = s.keys(s.program->keys);
  const ckks::Ciphertext out = execute(*s.program, *s.context, keys, s.encrypt(inputs[0]), s.pool);
  EXPECT_EQ(out.level(), s.program->output_level());
  const std::vector<double> expected = simulate(*s.program, pack_input(*s.program, inputs[0]));
  const ckks::Precision p = ckks::compare(s.decrypt(out), expected);
  EXPECT_GE(p.bits_min, min_bits) << "seed " << seed << ": " << p.text();
}

TEST(Execute, a_convolution_and_a_square_agree_with_the_simulation) {
  NetBuilder b(301, {1, 2, 6, 6});
  expect_close(b.finish(b.conv(b.quadratic(b.conv(b.at, 3, 3, 1, 1)), 2, 3, 2, 1)), 11, 301, 22);
}

TEST(Execute, residual_blocks_agree_with_the_simulation) {
  NetBuilder b(302, {1, 1, 8, 8});
  ValueId v = b.conv(b.at, 2, 3, 1, 1);
  v = b.block(v, 2, 1);
  v = b.block(v, 4, 2);
  v = b.gemm(b.flatten(b.average_pool(b.quadratic(v), 2, 2)), 3);
  expect_close(b.finish(v), 11, 302, 20);
}

TEST(Execute, packed_patches_agree_with_the_simulation) {
  expect_close(patch_net(303, 16, 2, 5), 11, 303, 20);
}

TEST(Execute, sums_over_all_slots_agree_with_the_simulation) {
  expect_close(normalising_net(306, 0.05f), 11, 306, 18);
  expect_close(normalising_net(307, -0.05f, 6), 11, 307, 18);  // six elements in eight slots
}

// Leading coefficients over four decades, as trained networks have them: |b / 2a| up to 20,000.
TEST(Execute, small_leading_coefficients_cost_no_level_and_little_precision) {
  NetBuilder b(308, {1, 2, 4, 4});
  const auto channels = [&](std::vector<float> v) {
    return b.graph.add_constant(Tensor::of<float>({4, 1, 1}, v));
  };
  const ValueId v = b.graph.add(
      Op::ChannelQuadratic, {b.conv(b.at, 4, 3, 1, 1), channels({0.2f, 0.01f, -3e-4f, 2.5e-5f}),
                             channels({0.5f, 1.f, 0.7f, 1.f}), channels({0.1f, -0.3f, 4.f, 0.f})});
  const Graph g = b.finish(b.gemm(b.flatten(v), 3));
  const Compiled compiled = compile(g, inputs_for(g, 308, 1), small_options(11));
  EXPECT_EQ(compiled.explanation.depth, 3);
  for (const std::string& note : compiled.explanation.notes)
    EXPECT_EQ(note.find("two levels"), std::string::npos) << note;
  expect_close(g, 11, 308, 20);
}

TEST(Execute, products_of_two_values_and_two_level_activations_agree_with_the_simulation) {
  NetBuilder b(304, {1, 2, 4, 4});
  ValueId v = b.conv(b.at, 2, 3, 1, 1);
  v = b.graph.add(Op::Mul, {v, b.conv(b.at, 2, 1, 1, 0)});
  v = b.graph.add(Op::ChannelQuadratic,
                  {v, b.graph.add_constant(Tensor::of<float>({2, 1, 1}, {0.2f, 0.f})),
                   b.graph.add_constant(Tensor::of<float>({2, 1, 1}, {0.5f, 0.5f})),
                   b.graph.add_constant(Tensor::of<float>({2, 1, 1}, {0.1f, 0.1f}))});
  expect_close(b.finish(b.gemm(b.flatten(v), 3)), 11, 304, 20);
}

/// The error of the elements, in deviations that the program predicts. Copies of an element share
/// their error, so it takes many images to know it.
double relative_error(const Graph& g, u64 seed, const CompileOptions& options) {
  const std::vector<Tensor> inputs = inputs_for(g, seed, 12);
  const Compiled compiled = compile(g, inputs, options);
  Session s(compiled.program);
  const EncryptedProgram& p = *s.program;
  const ckks::EvaluationKeys keys = s.keys(p.keys);
  double square = 0;
  i64 count = 0;
  for (const Tensor& input : inputs) {
    const std::vector<double> expected = simulate(p, pack_input(p, input));
    const ckks::Plaintext plain =
        ckks::decrypt(*s.context, s.secret, execute(p, *s.context, keys, s.encrypt(input), s.pool));
    const std::vector<double> found = ckks::decode(*s.context, plain);
    double imaginary = 0;
    for (const std::complex<double>& v : ckks::decode_complex(*s.context, plain))
      imaginary += v.imag() * v.imag();
    // `decrypt --publish` refuses above 1.5.
    EXPECT_LT(std::sqrt(imaginary / double(p.slots())), 1.25 * p.output_error());
    for (i32 e : p.output_slots)
      for (i64 at = e; at < p.slots(); at += p.instructions.back().period, ++count)
        square += std::pow(found[size_t(at)] - expected[size_t(at)], 2);
  }
  return std::sqrt(square / double(count)) / p.output_error();
}

TEST(Execute, the_predicted_error_is_the_error_even_when_key_switching_is_noisy) {
  NetBuilder b(311, {1, 1, 8, 8});
  ValueId v = b.conv(b.quadratic(b.conv(b.at, 4, 3, 1, 1)), 4, 3, 1, 1);
  const Graph g = b.finish(b.gemm(b.flatten(b.quadratic(v)), 5));
  // The last: P is no larger than the first digit, key switching is most of the noise.
  for (const std::vector<int>& log_p : {std::vector<int>{48, 48, 48}, {48, 48}, {48}}) {
    CompileOptions options = test_options(11);
    options.scheme.log_p = log_p;
    const double error = relative_error(g, 311, options);
    EXPECT_LT(error, 1.25) << log_p.size() << " special primes of " << log_p[0] << " bits";
    EXPECT_GT(error, 0.5) << log_p.size() << " special primes of " << log_p[0] << " bits";
  }
}

TEST(Execute, results_do_not_depend_on_threads_or_on_the_cache) {
  const Graph g = patch_net(305, 16, 2, 5);
  const std::vector<Tensor> inputs = inputs_for(g, 305, 1);
  const Compiled compiled = compile(g, inputs, small_options(11));
  Session s(compiled.program);
  const ckks::EvaluationKeys keys = s.keys(s.program->keys);
  const std::vector<ckks::Ciphertext> in = s.encrypt(inputs[0]);
  const ckks::Ciphertext plain = execute(*s.program, *s.context, keys, in, s.pool);
  ThreadPool two(2);
  const auto same = [&](const ckks::Ciphertext& other) {
    for (int part = 0; part < 2; ++part)
      for (int limb = 0; limb < plain.part(part).limbs(); ++limb) {
        const auto a = plain.part(part).limb(limb), b = other.part(part).limb(limb);
        if (!std::equal(a.begin(), a.end(), b.begin())) return false;
      }
    return true;
  };
  EXPECT_TRUE(same(execute(*s.program, *s.context, keys, in, two)));
  for (i64 budget : {i64(0), i64(4) << 20, i64(1) << 32}) {
    DiagonalCache cache(*s.program, budget);
    i64 calls = 0, last = 0, total = 0;
    ExecuteOptions options{
        &cache, [&](i64 done, i64 all, std::string_view) { ++calls, last = done, total = all; }};
    EXPECT_TRUE(same(execute(*s.program, *s.context, keys, in, two, options)));
    EXPECT_TRUE(same(execute(*s.program, *s.context, keys, in, s.pool, options)));
    EXPECT_LE(cache.bytes(), budget);
    EXPECT_EQ(calls, 2 * std::ssize(s.program->instructions));
    EXPECT_EQ(last, total);
  }
}

TEST(Execute, every_instruction_is_observed_and_can_be_evaluated_by_itself) {
  NetBuilder b(312, {1, 1, 4, 4});
  const Graph g = b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 2, 3, 1, 1))), 3));
  const std::vector<Tensor> inputs = inputs_for(g, 312, 1);
  Session s(compile(g, inputs, small_options(10)).program);
  const ckks::EvaluationKeys keys = s.keys(s.program->keys);
  const std::vector<ckks::Ciphertext> in = s.encrypt(inputs[0]);
  std::vector<ckks::Ciphertext> values;
  ExecuteOptions options;
  options.observe = [&](const Measured& m) {
    EXPECT_EQ(m.instruction, std::ssize(values));
    EXPECT_GE(m.seconds, 0);
    EXPECT_GT(m.resident_bytes(), m.result->bytes());
    values.push_back(m.result->clone());
  };
  execute(*s.program, *s.context, keys, in, s.pool, options);
  ASSERT_EQ(values.size(), s.program->instructions.size());
  const auto operand = [&](i32 v) { return v < 0 ? nullptr : &values[size_t(v)]; };
  for (i64 k = 0; k < std::ssize(values); ++k) {
    const Instruction& i = s.program->instructions[size_t(k)];
    const ckks::Ciphertext out =
        evaluate(*s.program, k, i.op == Opcode::input ? &in[0] : operand(i.a), operand(i.b),
                 {*s.context, keys, s.pool});
    EXPECT_EQ(out.level(), i.level) << k;
    EXPECT_NEAR(out.scale(), i.scale, 1e-9 * i.scale) << k;
    for (int part = 0; part < 2; ++part)
      EXPECT_TRUE(std::ranges::equal(out.part(part).limb(0), values[size_t(k)].part(part).limb(0)))
          << k;
  }
}

class ExecuteErrors : public ::testing::Test {
 protected:
  ExecuteErrors() {
    NetBuilder b(310, {1, 1, 4, 4});
    g = b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 2, 3, 1, 1))), 3));
    inputs = inputs_for(g, 310, 1);
  }
  Graph g;
  std::vector<Tensor> inputs;
};

TEST_F(ExecuteErrors, a_missing_rotation_key_is_named) {
  Session s(compile(g, inputs, small_options(10)).program);
  ckks::KeyManifest fewer = s.program->keys;
  const i64 gone = fewer.rotations.begin()->first;
  fewer.rotations.erase(gone);
  const ckks::EvaluationKeys keys = s.keys(fewer);
  try {
    execute(*s.program, *s.context, keys, s.encrypt(inputs[0]), s.pool);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_argument);
    EXPECT_NE(std::string(e.what()).find("no key for rotation " + std::to_string(gone)),
              std::string::npos)
        << e.what();
  }
}

TEST_F(ExecuteErrors, mixtures_with_the_same_parameters_are_refused) {
  const CompileOptions options = small_options(10);
  Session s(compile(g, inputs, options).program), stranger(s.program);
  NetBuilder b(311, {1, 1, 4, 4});  // the same architecture with other weights
  const Graph retrained = b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 2, 3, 1, 1))), 3));
  Session other(compile(retrained, inputs_for(retrained, 310, 1), options).program);
  ASSERT_EQ(other.program->params.hash(), s.program->params.hash());
  const auto refused = [&](const ckks::EvaluationKeys& keys, std::vector<ckks::Ciphertext> in,
                           const char* part) {
    try {
      execute(*s.program, *s.context, keys, in, s.pool);
      ADD_FAILURE() << "no error: " << part;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::bad_argument);
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  };
  const ckks::EvaluationKeys keys = s.keys(s.program->keys);
  refused(stranger.keys(s.program->keys), s.encrypt(inputs[0]),
          "the evaluation keys belong to key");
  std::vector<ckks::Ciphertext> in = s.encrypt(inputs[0]);
  in[0].set_origin({s.secret.id(), other.program->hash});
  refused(keys, std::move(in), "was encrypted for program");
  const ckks::Ciphertext out = execute(*s.program, *s.context, keys, s.encrypt(inputs[0]), s.pool);
  EXPECT_EQ(out.origin().key, s.secret.id());
  EXPECT_EQ(out.origin().program, s.program->hash);
}

TEST_F(ExecuteErrors, keys_or_inputs_of_another_program_are_refused) {
  Session s(compile(g, inputs, small_options(10)).program);
  Session other(compile(g, inputs, small_options(11)).program);
  const ckks::EvaluationKeys keys = s.keys(s.program->keys);
  const ckks::EvaluationKeys wrong = other.keys(other.program->keys);
  EXPECT_THROW(execute(*s.program, *s.context, wrong, s.encrypt(inputs[0]), s.pool), Error);
  EXPECT_THROW(execute(*s.program, *s.context, keys, other.encrypt(inputs[0]), s.pool), Error);
  std::vector<ckks::Ciphertext> low = s.encrypt(inputs[0]);
  low[0] = ckks::drop_to_level(*s.context, low[0], s.program->input_level() - 1);
  EXPECT_THROW(execute(*s.program, *s.context, keys, low, s.pool), Error);
  EXPECT_THROW(execute(*s.program, *s.context, keys, {}, s.pool), Error);
}

}  // namespace
}  // namespace sinter::encrypted::testing

// SPDX-License-Identifier: Apache-2.0
// Programs that bootstrap: networks deeper than their chain run encrypted, what check() refuses.
// Small rings without security, with the presets' primes.
#include <cmath>

#include "ckks/encoder.h"
#include "ckks/precision.h"
#include "ckks/secret_key.h"
#include "encrypted/check.h"
#include "encrypted/execute.h"
#include "encrypted/flow.h"
#include "encrypted/serialize.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

/// A chain of `levels` levels that the networks here do not fit.
CompileOptions short_options(i64 log_n, int levels) {
  CompileOptions options = test_options(log_n);
  options.margin = 1.5;
  options.scheme.log_q.assign(size_t(levels) + 1, 40);
  options.scheme.log_q[0] = 48;
  options.scheme.log_p = {48, 48, 48, 48, 48, 48};
  options.scheme.secret = ckks::SecretKind::sparse;
  return options;
}

Graph residual_net(u64 seed) {
  NetBuilder b(seed, {1, 1, 8, 8});
  ValueId v = b.conv(b.at, 2, 3, 1, 1);
  v = b.block(v, 2, 1);
  v = b.block(v, 4, 2);
  v = b.gemm(b.flatten(b.average_pool(b.quadratic(v), 2, 2)), 3);
  return b.finish(v);
}

const Compiled& sample() {
  static const Compiled compiled = [] {
    const Graph g = residual_net(800);
    return compile(g, inputs_for(g, 800), short_options(11, 7));
  }();
  return compiled;
}

i64 count(const EncryptedProgram& p, Opcode op) {
  return std::count_if(p.instructions.begin(), p.instructions.end(),
                       [op](const Instruction& i) { return i.op == op; });
}

struct Run {
  std::vector<double> expected, found;
};

Run run_encrypted(const EncryptedProgram& program, const Tensor& input) {
  const auto context = ckks::Context::create(program.params);
  ring::SecretRng rng;
  ThreadPool pool(1);
  const ckks::SecretKey secret = ckks::generate_secret_key(*context, rng);
  const ckks::EvaluationKeys keys =
      ckks::generate_evaluation_keys(*context, secret, program.keys, rng, pool);
  const auto packed = pack_input(program, input);
  std::vector<ckks::Ciphertext> inputs;
  for (i64 k = 0; k < program.input_count(); ++k)
    inputs.push_back(ckks::encrypt_symmetric(
        *context, secret,
        ckks::encode(*context, packed[size_t(k)], program.input_scale(), program.input_level(k)),
        rng));
  const ckks::Ciphertext out = execute(program, *context, keys, inputs, pool);
  EXPECT_EQ(out.level(), program.output_level());
  const std::vector<double> exact = simulate(program, packed);
  const std::vector<double> slots = ckks::decode(*context, ckks::decrypt(*context, secret, out));
  Run run;
  for (i32 slot : program.output_slots) {
    run.expected.push_back(exact[size_t(slot)]);
    run.found.push_back(slots[size_t(slot)]);
  }
  return run;
}

/// Every element within five of the predicted deviations.
void expect_predicted(const Compiled& compiled, const Tensor& input, u64 seed) {
  const Run run = run_encrypted(*compiled.program, input);
  const double error = compiled.program->output_error();
  ASSERT_GT(error, 0);
  for (size_t e = 0; e < run.found.size(); ++e)
    EXPECT_LT(std::abs(run.found[e] - run.expected[e]), 5 * error) << "seed " << seed << " " << e;
}

TEST(BootstrapProgram, a_network_deeper_than_its_chain_runs_to_the_predicted_bits) {
  const Graph g = residual_net(800);
  const EncryptedProgram& p = *sample().program;
  EXPECT_GE(count(p, Opcode::bootstrap), 1);
  EXPECT_LE(p.input_level(0), 7);
  EXPECT_GE(sample().explanation.precision_bits, 10);
  EXPECT_EQ(sample().explanation.bootstraps, count(p, Opcode::bootstrap));
  expect_predicted(sample(), inputs_for(g, 800)[0], 800);
  EXPECT_LT(simulated_error(g, p, inputs_for(g, 800)[0]), 1e-4);
}

TEST(BootstrapProgram, a_bootstrap_reads_each_of_its_keys_once_or_more) {
  const EncryptedProgram& p = *sample().program;
  const i64 special = std::ssize(p.params.p()), limb = p.params.n() * i64(sizeof(u64));
  const auto bytes = [&](int level) {
    return 2 * ((level + special) / special) * (level + 1 + special) * limb;
  };
  for (i64 k = 0; k < std::ssize(p.instructions); ++k) {
    if (p.instructions[size_t(k)].op != Opcode::bootstrap) continue;
    const auto outline =
        ckks::outline_bootstrap(p.params, p.bootstraps[size_t(p.instructions[size_t(k)].table)]);
    i64 all = 0;
    for (const auto& [steps, level] : outline.manifest.rotations) all += bytes(level);
    EXPECT_GE(key_bytes_read(p, k), all);
    EXPECT_LE(key_bytes_read(p, k),
              4 * all);  // products of the sine and giant steps read one again
  }
}

TEST(BootstrapProgram, both_presets_and_packed_branches_run_to_the_predicted_bits) {
  for (const BootstrapChoice choice : {BootstrapChoice::fast, BootstrapChoice::precise}) {
    const Graph g = patch_net(803, 16, 2, 5);
    CompileOptions options = short_options(11, 6);
    options.scheme.secret = ckks::SecretKind::ternary;
    options.bootstrap = choice;
    const Compiled compiled = compile(g, inputs_for(g, 803), options);
    EXPECT_GE(count(*compiled.program, Opcode::bootstrap), 1);
    expect_predicted(compiled, inputs_for(g, 803)[0], 803);
  }
}

TEST(BootstrapProgram, without_bootstraps_it_is_out_of_levels) {
  const Graph g = residual_net(800);
  CompileOptions options = short_options(11, 7);
  options.bootstrap = BootstrapChoice::none;
  try {
    compile(g, inputs_for(g, 800), options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(int(e.kind()), int(ErrorKind::out_of_levels)) << e.what();
  }
  options.scheme.log_q.clear();
  options.bootstrap = BootstrapChoice::automatic;
  EXPECT_EQ(count(*compile(g, inputs_for(g, 800), options).program, Opcode::bootstrap), 0)
      << "a network that fits needs none";
}

TEST(BootstrapProgram, says_what_is_missing_with_and_without_bootstraps) {
  const Graph g = residual_net(800);
  CompileOptions options = short_options(11, 7);
  options.scheme.log_scale = 46;  // too near to q_0 for a message ratio
  const Explanation e = explain_only(g, inputs_for(g, 800), options, true);
  EXPECT_FALSE(e.feasible);
  EXPECT_NE(e.reason.find("short, first at"), std::string::npos) << e.reason;
  EXPECT_NE(e.reason.find("log_q0 - log_scale of at least"), std::string::npos) << e.reason;
}

TEST(BootstrapProgram, comes_back_from_its_file) {
  const EncryptedProgram& p = *sample().program;
  const std::vector<std::byte> bytes = save_program(p);
  const auto loaded = load_program(bytes, "file");
  EXPECT_EQ(loaded->bootstraps, p.bootstraps);
  EXPECT_EQ(loaded->instructions, p.instructions);
  EXPECT_EQ(loaded->keys, p.keys);
  EXPECT_EQ(loaded->hash, p.hash);
}

template <class Change>
void expect_caught(const char* part, const Change& change) {
  EncryptedProgram p = *sample().program;
  for (Instruction& i : p.instructions) {
    if (i.op != Opcode::bootstrap) continue;
    change(p, i);
    break;
  }
  try {
    check(p);
    ADD_FAILURE() << "not caught: " << part;
  } catch (const Error& e) {
    EXPECT_EQ(int(e.kind()), int(ErrorKind::bad_input)) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << part << ": " << e.what();
  }
}

TEST(BootstrapProgram, check_catches_what_does_not_follow) {
  using P = EncryptedProgram;
  using I = Instruction;
  expect_caught("level", [](P&, I& i) { ++i.level; });
  expect_caught("scale", [](P&, I& i) { i.scale *= 2; });
  expect_caught("period", [](P&, I& i) { i.period *= 2; });
  expect_caught("does not exist", [](P&, I& i) { i.table = 64; });
  expect_caught("not used", [](P&, I& i) { i.b = 0; });
  expect_caught("expects values up to 1", [](P& p, I& i) {
    p.layers[size_t(p.instructions[size_t(i.a)].layer)].range = 1.5;
  });
  expect_caught("slots, the value has period", [](P& p, I& i) {
    p.bootstraps[size_t(i.table)].slots = p.instructions[size_t(i.a)].period / 2;
  });
  expect_caught("open", [](P& p, I&) { p.bootstraps[0].raise_level = -1; });
  expect_caught("open", [](P& p, I&) { p.bootstraps[0].target_level = -1; });
  expect_caught("range", [](P& p, I&) { p.bootstraps[0].range = 1 << 30; });
  expect_caught("to_slots_levels", [](P& p, I&) { p.bootstraps[0].to_slots_levels = 1 << 30; });
  expect_caught("power of two", [](P& p, I&) { p.bootstraps[0].slots = -4; });
  expect_caught("there twice", [](P& p, I&) { p.bootstraps.push_back(p.bootstraps[0]); });
  expect_caught("is not used", [](P& p, I&) {
    p.bootstraps.push_back(p.bootstraps[0]);
    --p.bootstraps.back().target_level;
  });
  expect_caught("at most 64", [](P& p, I&) { p.bootstraps.resize(65, p.bootstraps[0]); });
  expect_caught("manifest", [](P& p, I&) { p.keys.encapsulation_level = -1; });
  expect_caught("manifest", [](P& p, I&) { p.keys.conjugation_level = -1; });
}

TEST(BootstrapProgram, keys_that_lack_what_bootstraps_need_are_refused) {
  const EncryptedProgram& p = *sample().program;
  const auto context = ckks::Context::create(p.params);
  ring::SecretRng rng;
  ThreadPool pool(1);
  const ckks::SecretKey secret = ckks::generate_secret_key(*context, rng);
  ckks::KeyManifest manifest = p.keys;
  manifest.conjugation_level = -1;
  const ckks::EvaluationKeys keys =
      ckks::generate_evaluation_keys(*context, secret, manifest, rng, pool);
  const auto packed = pack_input(p, inputs_for(residual_net(800), 800)[0]);
  std::vector<ckks::Ciphertext> inputs;
  inputs.push_back(ckks::encrypt_symmetric(
      *context, secret, ckks::encode(*context, packed[0], p.input_scale(), p.input_level(0)), rng));
  EXPECT_THROW(execute(p, *context, keys, inputs, pool), Error);
}

}  // namespace
}  // namespace sinter::encrypted::testing

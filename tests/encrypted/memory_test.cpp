// SPDX-License-Identifier: Apache-2.0
// Budgets: what is planned fits, and no budget, group or order of keys changes a byte.
#include "encrypted/memory.h"

#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "ckks/secret_key.h"
#include "ckks/serialize.h"
#include "encrypted/execute.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

class Memory : public ::testing::Test {
 protected:
  Memory() {
    const Graph g = patch_net(321, 16, 2, 5);
    images = inputs_for(g, 321, 3);
    CompileOptions options = test_options(11);
    options.scheme.log_p = {48, 48, 48};
    program = compile(g, images, options).program;
    context = ckks::Context::create(program->params);
    secret.emplace(ckks::generate_secret_key(*context, rng));
    keys.emplace(ckks::generate_evaluation_keys(*context, *secret, program->keys, rng, pool));
  }

  std::vector<ckks::Ciphertext> encrypted() {
    std::vector<ckks::Ciphertext> out;
    for (const Tensor& image : images)
      for (const ckks::Plaintext& plain : encode_input(*program, *context, image))
        out.push_back(ckks::encrypt_symmetric(*context, *secret, plain, rng));
    return out;
  }
  std::vector<std::byte> bytes_of(const ckks::Ciphertext& ct) {
    return ckks::save_ciphertext(*context, ct);
  }
  i64 all_diagonals() const {
    DiagonalCache cache(*program, i64(1) << 40);
    ThreadPool one;
    for (i64 k = 0; k < std::ssize(program->instructions); ++k)
      if (program->instructions[size_t(k)].op == Opcode::linear)
        cache.get(*program, *context, k, one);
    return cache.bytes();
  }

  std::vector<Tensor> images;
  std::shared_ptr<const EncryptedProgram> program;
  std::shared_ptr<const ckks::Context> context;
  ring::SecretRng rng;
  ThreadPool pool{1};
  std::optional<ckks::SecretKey> secret;
  std::optional<ckks::EvaluationKeys> keys;
};

TEST_F(Memory, a_batch_gives_the_bytes_of_every_image_alone_whatever_is_kept) {
  const std::vector<ckks::Ciphertext> in = encrypted();
  std::vector<std::vector<std::byte>> expected;
  for (const ckks::Ciphertext& one : in)
    expected.push_back(bytes_of(execute(*program, *context, *keys, {&one, 1}, pool)));
  const i64 all = all_diagonals();
  ThreadPool three(3);
  for (ThreadPool* workers : {&pool, &three})
    for (i64 budget : {i64(0), all / 3, all}) {
      if (workers == &three && budget != all / 3) continue;  // kept in part: both kinds of maps
      DiagonalCache cache(*program, budget);
      for (i64 work : {i64(0), i64(1) << 30}) {
        const std::vector<ckks::Ciphertext> out = execute_batch(
            *program, *context, *keys, in, *workers, {.cache = &cache, .linear = {work}});
        ASSERT_EQ(out.size(), in.size());
        for (size_t j = 0; j < in.size(); ++j)
          EXPECT_EQ(bytes_of(out[j]), expected[j])
              << "image " << j << " threads " << workers->size() << " kept " << budget;
        EXPECT_LE(cache.bytes(), budget);
      }
      EXPECT_GE(cache.bytes(), budget == all ? all : budget / 2);
    }
}

TEST_F(Memory, keys_are_there_when_needed_and_the_farthest_go_first) {
  std::set<i64> resident;
  i64 asked = 0, bytes = 0, limit = 0, instruction = 0;
  const KeyBytes sizes = key_bytes(*program, program->keys);
  std::map<i64, i64> rotation_of;  // slot -> rotation
  const std::vector<ckks::KeySlot> slots = program->keys.slots(program->params);
  ckks::EvaluationKeys::Source source{
      slots, {}, [&](i64 slot, bool is_needed) {
        const i64 rotation = slots[size_t(slot)].rotation;
        if (is_needed) {
          EXPECT_TRUE(resident.insert(rotation).second) << rotation << " asked for twice";
          ++asked;
          bytes += sizes.rotations.at(rotation);
        } else {
          EXPECT_EQ(resident.erase(rotation), 1u) << rotation << " was not there";
          bytes -= sizes.rotations.at(rotation);
        }
        EXPECT_LE(bytes + sizes.others, limit) << "at instruction " << instruction;
      }};
  const ckks::EvaluationKeys mapped(program->params.hash(), program->keys, source, 0);
  i64 before = std::numeric_limits<i64>::max();
  for (i64 budget : {sizes.largest, (sizes.largest + sizes.all) / 2, sizes.all}) {
    resident.clear();
    asked = bytes = 0;
    limit = budget;
    KeyWindow window(*program, *context, mapped, budget, true);
    for (int run = 0; run < 2; ++run)
      for (instruction = 0; instruction < std::ssize(program->instructions); ++instruction) {
        window.before(instruction);
        for (i64 rotation : rotations_of(*program, instruction))
          EXPECT_TRUE(resident.contains(rotation)) << "instruction " << instruction;
      }
    EXPECT_EQ(window.resident_bytes(), bytes + sizes.others);
    EXPECT_LE(asked, before) << "more memory, more reading";
    before = asked;
  }
  EXPECT_EQ(before, std::ssize(sizes.rotations)) << "with room for all, each is read once";
}

TEST_F(Memory, a_plan_stays_within_its_budget_and_says_what_it_needs) {
  MemoryRequest request{i64(1) << 40, i64(100) << 20, true, program->keys, 20, 0};
  EXPECT_EQ(plan_memory(*program, request).images, 7) << "20 images in three groups";
  request.runs = 20 * kMostImages;
  const MemoryPlan ample = plan_memory(*program, request);
  EXPECT_EQ(ample.images, kMostImages);
  EXPECT_EQ(ample.cache_bytes, all_diagonals());
  EXPECT_EQ(ample.key_bytes, key_bytes(*program, program->keys).all);
  request.budget = 0;
  i64 least = 0;
  try {
    plan_memory(*program, request);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_argument);
    ASSERT_EQ(std::sscanf(e.what(), "memory: expected at least %ld MiB", &least), 1) << e.what();
  }
  for (i64 mib : {least, least + 1, least + 10, least + 100}) {
    request.budget = mib << 20;
    const MemoryPlan plan = plan_memory(*program, request);
    EXPECT_LE(plan.peak_bytes, request.budget);
    EXPECT_GE(plan.images, 1);
    EXPECT_GE(plan.key_bytes, key_bytes(*program, program->keys).largest);
    EXPECT_LE(plan.images, ample.images);
  }
  request.runs = 1;
  request.budget = i64(1) << 40;
  EXPECT_EQ(plan_memory(*program, request).cache_bytes, 0) << "nothing is used twice";
}

TEST_F(Memory, diagonals_are_kept_only_for_so_many_groups_that_it_pays) {
  MemoryRequest request{i64(1) << 40, i64(100) << 20, true, program->keys, 1, 1};
  for (i64 runs : {1, 2, 3, 8, 9, 100}) {
    request.runs = runs;
    const double saved = kSavedSecondsPerByte * double(runs - 1);
    EXPECT_EQ(plan_memory(*program, request).cache_bytes > 0, saved > kKeepSecondsPerByte)
        << runs << " images one after the other";
  }
  EXPECT_FALSE(pays_to_keep(3));
  EXPECT_TRUE(pays_to_keep(15));
}

}  // namespace
}  // namespace sinter::encrypted::testing

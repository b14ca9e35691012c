// SPDX-License-Identifier: Apache-2.0
// Memory of several workers: keys are counted once, all else for each.
#include "serve/memory_share.h"

#include "base/error.h"
#include "ckks/secret_key.h"
#include "serve/messages.h"
#include "tests/encrypted/nets.h"

namespace sinter::serve {
namespace {

struct Net {
  std::shared_ptr<const encrypted::EncryptedProgram> program;
  ckks::KeyManifest keys;

  Net() {
    const Graph g = encrypted::testing::patch_net(303, 16, 2, 5);
    encrypted::CompileOptions options = encrypted::testing::test_options(11);
    options.scheme.log_p = {48, 48, 48};
    program = encrypted::compile(g, encrypted::testing::inputs_for(g, 1, 2), options).program;
    const std::shared_ptr<const ckks::Context> context = ckks::Context::create(program->params);
    ring::SecretRng rng;
    ThreadPool pool(1);
    const ckks::SecretKey secret = ckks::generate_secret_key(*context, rng);
    keys = ckks::generate_evaluation_keys(*context, secret, program->keys, rng, pool).manifest();
  }
  i64 largest() const { return encrypted::key_bytes(*program, keys).largest; }
};

TEST(MemoryShare, keys_are_counted_once_and_the_rest_is_divided) {
  const Net net;
  const i64 bytes = i64(1) << 30;
  ASSERT_GT(net.largest(), 0);
  for (i64 workers : {1, 2, 5}) {
    const i64 own = share_of(*net.program, net.keys, {bytes, workers}) - net.largest();
    const i64 frames = bytes - net.largest() - workers * own;
    EXPECT_GE(frames, workers * max_payload(net.program->params));
    EXPECT_LE(frames, 20 * workers * max_payload(net.program->params));
    EXPECT_EQ(share_of(*net.program, net.keys, {bytes + 1000 * workers, workers}) - net.largest(),
              own + 1000);
  }
}

TEST(MemoryShare, a_share_that_is_too_small_says_what_to_do) {
  const Net net;
  const SharedMemory memory{i64(1) << 20, 2};
  try {
    plan_share(*net.program, net.keys, memory, 0, 1);
    FAIL();
  } catch (const Error& e) {
    const std::string text = e.what();
    EXPECT_EQ(e.kind(), ErrorKind::bad_argument);
    EXPECT_NE(text.find("memory: expected at least"), std::string::npos) << text;
    EXPECT_NE(text.find("for each of 2 workers"), std::string::npos) << text;
  }
  EXPECT_GT(plan_share(*net.program, net.keys, {i64(1) << 34, 2}, 0, 1).work_bytes, 0);
}

}  // namespace
}  // namespace sinter::serve

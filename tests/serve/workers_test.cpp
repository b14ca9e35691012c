// SPDX-License-Identifier: Apache-2.0
// Programs on several workers, which are threads behind sockets here: the bytes of execute(),
// however the work is split, and whatever becomes of a worker.
#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>

#include "ckks/secret_key.h"
#include "ckks/serialize.h"
#include "encrypted/execute.h"
#include "serve/coordinator.h"
#include "serve/local_transport.h"
#include "serve/messages.h"
#include "serve/schedule.h"
#include "serve/socket_transport.h"
#include "serve/worker.h"
#include "tests/encrypted/nets.h"

namespace sinter::serve {
namespace {

using ckks::Ciphertext;
using encrypted::EncryptedProgram;

struct Session {
  std::shared_ptr<const EncryptedProgram> program;
  std::shared_ptr<const ckks::Context> context;
  ring::SecretRng rng;
  ckks::SecretKey secret;
  ThreadPool pool{1};
  ckks::EvaluationKeys keys;
  std::vector<std::vector<Ciphertext>> inputs;
  std::vector<std::vector<std::byte>> expected;

  Session(const Graph& g, i64 images)
      : program(encrypted::compile(g, encrypted::testing::inputs_for(g, 1, 2), options()).program),
        context(ckks::Context::create(program->params)),
        secret(ckks::generate_secret_key(*context, rng)),
        keys(ckks::generate_evaluation_keys(*context, secret, program->keys, rng, pool)) {
    for (const Tensor& input : encrypted::testing::inputs_for(g, 2, images)) {
      std::vector<Ciphertext>& all = inputs.emplace_back();
      for (const ckks::Plaintext& plain : encrypted::encode_input(*program, *context, input))
        all.push_back(ckks::encrypt_symmetric(*context, secret, plain, rng));
      expected.push_back(
          ckks::save_ciphertext(*context, encrypted::execute(*program, *context, keys, all, pool)));
    }
  }
  static encrypted::CompileOptions options() {
    encrypted::CompileOptions o = encrypted::testing::test_options(11);
    o.scheme.log_p = {48, 48, 48};
    return o;
  }
  TransportLimits limits() const { return {max_payload(program->params), 60}; }
};

Session& patches() {
  static Session session(encrypted::testing::patch_net(303, 16, 2, 5), 3);
  return session;
}

/// Points to x without owning it.
std::shared_ptr<const Ciphertext> lent(const Ciphertext& x) {
  return {std::shared_ptr<const void>(), &x};
}

/// What a worker of a test does at its end of the socket.
using Life = std::function<void(Session&, const std::shared_ptr<Transport>&)>;

void work(Session& s, const std::shared_ptr<Transport>& end) {
  ThreadPool pool(1);
  serve(*end, *s.program, {*s.context, s.keys, pool});
}

using Ends = std::pair<std::shared_ptr<Transport>, std::shared_ptr<Transport>>;

Ends connected(Session& s) {
  auto [ours, theirs] = make_socket_pair();
  return {make_socket_transport(std::move(ours), "worker", s.limits()),
          make_socket_transport(std::move(theirs), "coordinator", s.limits())};
}

Link link_to(Session& s, const Life& life, Ends ends) {
  const std::shared_ptr<Transport> transport = ends.first;
  const auto thread = std::make_shared<std::thread>([&s, life, end = ends.second]() mutable {
    try {
      life(s, end);
    } catch (const Error&) {
    }
    end.reset();
  });
  ends = {};
  return {transport, [thread, transport](bool) {
            try {
              transport->send(make_frame({FrameKind::stop, 0, 0, 0}));
            } catch (const Error&) {  // it is gone already
            }
            thread->join();
          }};
}

struct Outcome {
  std::vector<std::vector<std::byte>> bytes;
  CoordinatorStats stats;
  std::vector<std::string> warnings;
};

/// life(worker, start): what the worker does that is started as number `start` of all.
Outcome run(Session& s, i64 workers, i64 images, const std::function<Life(i64, i64)>& life,
            CoordinatorOptions options = {}, const std::function<Ends()>& connect = {}) {
  Outcome out;
  out.bytes.resize(size_t(images));
  std::atomic<i64> starts = 0;
  options.workers = workers;
  options.warn = [&](const std::string& text) { out.warnings.push_back(text); };
  const Requests requests = {images,
                             [&](i64 i) {
                               std::vector<Ciphertext> all;
                               for (const Ciphertext& x : s.inputs[size_t(i)])
                                 all.push_back(x.clone());
                               return all;
                             },
                             [&](i64 i, const Ciphertext& x) {
                               out.bytes[size_t(i)] = ckks::save_ciphertext(*s.context, x);
                             }};
  out.stats = coordinate(
      *s.program, *s.context, s.keys,
      [&](i64 w) { return link_to(s, life(w, starts++), connect ? connect() : connected(s)); },
      requests, options);
  return out;
}

Outcome run(Session& s, i64 workers, i64 images) {
  return run(s, workers, images, [](i64, i64) { return work; });
}

TEST(Workers, any_number_of_them_gives_the_bytes_of_execute) {
  Session& s = patches();
  for (double split_s : {1e9, 0.0}) {
    CoordinatorOptions options;
    options.split_s = split_s;
    for (i64 workers : {1, 2, 3, 5}) {
      const Outcome out = run(
          s, workers, 1, [](i64, i64) { return work; }, options);
      EXPECT_EQ(out.bytes[0], s.expected[0]) << workers << " workers";
      EXPECT_TRUE(out.warnings.empty()) << out.warnings[0];
      EXPECT_EQ(out.stats.lost_tasks, 0);
    }
  }
}

TEST(Workers, in_this_process_they_are_handed_frames_as_they_are) {
  Session& s = patches();
  const Outcome out = run(
      s, 3, 1, [](i64, i64) { return work; }, {},
      [] { return make_local_transports("coordinator", "worker"); });
  EXPECT_EQ(out.bytes[0], s.expected[0]);
  EXPECT_TRUE(out.warnings.empty());
}

TEST(Workers, several_images_are_whole_tasks_and_the_rest_is_split) {
  Session& s = patches();
  for (i64 workers : {2, 3}) {
    const Outcome out = run(s, workers, 3);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(out.bytes[i], s.expected[i]) << "image " << i;
    EXPECT_EQ(out.stats.tasks == 3, workers == 3);
  }
}

/// Says hello and reads frames until count tasks came, then goes on with `then`.
Life until_task(i64 count, const Life& then) {
  return [=](Session& s, const std::shared_ptr<Transport>& end) {
    end->send(hello_frame({FrameKind::hello, 0, s.program->hash, s.keys.key_id()},
                          {s.program->params.hash(), 1}));
    for (i64 tasks = 0; tasks < count;) {
      const std::optional<Frame> frame = end->receive(5);
      if (frame && frame->info.kind == FrameKind::task) ++tasks;
      if (frame && frame->info.kind == FrameKind::stop) return;
    }
    then(s, end);
  };
}

void expect_recovery(const Life& bad, const std::string& reason, double silence_s = 60) {
  Session& s = patches();
  CoordinatorOptions options;
  options.silence_s = silence_s;
  const Outcome out = run(
      s, 2, 1, [&](i64 w, i64 start) -> Life { return w == 1 && start < 2 ? bad : Life(work); },
      options);
  EXPECT_EQ(out.bytes[0], s.expected[0]);
  EXPECT_GE(out.stats.lost_workers, 1);  // on a busy machine a good one may be silent too
  EXPECT_TRUE(std::ranges::any_of(out.warnings, [&](const std::string& warning) {
    return warning.find(reason) != std::string::npos;
  })) << (out.warnings.empty() ? "no warning" : out.warnings[0]);
}

TEST(Workers, the_work_of_one_that_dies_is_done_by_others) {
  expect_recovery(until_task(1, [](Session&, const std::shared_ptr<Transport>&) {}), "is gone");
}

TEST(Workers, the_work_of_one_that_falls_silent_is_done_by_others) {
  expect_recovery(until_task(1,
                             [](Session&, const std::shared_ptr<Transport>& end) {
                               for (bool is_over = false; !is_over;)
                                 if (const std::optional<Frame> frame = end->receive(1))
                                   is_over = frame->info.kind == FrameKind::stop;
                             }),
                  "did not answer", 2);
}

/// Works between the coordinator and a true worker and breaks off at the count-th task of a kind.
Life until(TaskKind kind, i64 count) {
  return [=](Session& s, const std::shared_ptr<Transport>& end) {
    auto [ours, theirs] = make_socket_pair();
    const auto inner = make_socket_transport(std::move(theirs), "middle", s.limits());
    std::thread worker([&] {
      try {
        work(s, inner);
      } catch (const Error&) {
      }
    });
    auto outer = make_socket_transport(std::move(ours), "inner", s.limits());
    const auto pass_all = [&] {
      i64 left = count;
      for (bool is_over = false; !is_over;) {
        if (const std::optional<Frame> frame = end->receive(0.002)) {
          is_over = frame->info.kind == FrameKind::stop;
          if (frame->info.kind == FrameKind::task)
            left -= parse_task(*frame, 1000, "coordinator").kind == kind;
          if (left == 0) break;
          outer->send(*frame);
        }
        while (const std::optional<Frame> frame = outer->receive(0.002)) end->send(*frame);
      }
    };
    try {
      pass_all();
    } catch (const Error&) {
    }
    try {
      outer->send(make_frame({FrameKind::stop, 0, s.program->hash, s.keys.key_id()}));
    } catch (const Error&) {
    }
    outer.reset();
    worker.join();
  };
}

TEST(Workers, one_that_dies_in_any_phase_of_a_map_in_parts_is_replaced) {
  Session& s = patches();
  for (TaskKind kind : {TaskKind::sums, TaskKind::giants, TaskKind::finish, TaskKind::segment})
    for (i64 count : {1, 2}) {
      CoordinatorOptions options;
      options.split_s = 0;
      const Outcome out = run(
          s, 2, 1,
          [&](i64, i64 start) -> Life { return start == 1 ? until(kind, count) : Life(work); },
          options);
      EXPECT_EQ(out.bytes[0], s.expected[0]) << "kind " << u32(kind) << ", task " << count;
      EXPECT_LE(out.stats.lost_workers, 1);
    }
}

TEST(Workers, garbage_is_refused_and_its_sender_replaced) {
  const auto info = [](Session& s, FrameKind kind) {
    return FrameInfo{kind, 0, s.program->hash, s.keys.key_id()};
  };
  expect_recovery(until_task(1,
                             [=](Session& s, const std::shared_ptr<Transport>& end) {
                               end->send(make_frame(info(s, FrameKind::value)));
                             }),
                  "truncated");
  expect_recovery(until_task(1,
                             [=](Session& s, const std::shared_ptr<Transport>& end) {
                               end->send(make_frame(info(s, FrameKind::value),
                                                    encode_value(0, lent(s.inputs[0][0]))));
                             }),
                  "which it was not asked for");
  expect_recovery(
      until_task(1,
                 [=](Session& s, const std::shared_ptr<Transport>& end) {
                   end->send(make_frame(info(s, FrameKind::value),
                                        encode_value(u32(s.program->instructions.size() - 1),
                                                     lent(s.inputs[0][0]))));
                 }),
      "expected two polynomials of level");
  expect_recovery(until_task(1,
                             [=](Session& s, const std::shared_ptr<Transport>& end) {
                               end->send(done_frame(info(s, FrameKind::done), {77, 0}));
                             }),
                  "whose results it did not send");
}

/// Value v as its instruction wants it, but for one residue.
std::shared_ptr<const Ciphertext> with_a_large_residue(Session& s, u32 v) {
  const encrypted::Instruction& i = s.program->instructions[v];
  std::vector<ring::RnsPoly> polys;
  for (int p = 0; p < 2; ++p) polys.emplace_back(s.context->n(), i.level + 1);
  polys[1].limb(i.level)[5] = ~u64(0);
  return std::make_shared<const Ciphertext>(std::move(polys), i.scale, i.level,
                                            s.context->params().hash());
}

TEST(Workers, a_result_with_residues_that_are_too_large_is_not_delivered) {
  const Life bad = until_task(1, [](Session& s, const std::shared_ptr<Transport>& end) {
    const u32 last = u32(s.program->instructions.size() - 1);
    end->send(make_frame({FrameKind::value, 0, s.program->hash, s.keys.key_id()},
                         encode_value(last, with_a_large_residue(s, last))));
  });
  Session& s = patches();
  const Outcome out = run(s, 1, 1, [&](i64, i64 start) { return start == 0 ? bad : Life(work); });
  EXPECT_EQ(out.bytes[0], s.expected[0]);
  ASSERT_EQ(out.warnings.size(), 1u);
  EXPECT_NE(out.warnings[0].find("expected residues below the prime"), std::string::npos);
}

TEST(Workers, an_operand_with_residues_that_are_too_large_is_reported_by_its_reader) {
  Session& s = patches();
  auto [ours, theirs] = connected(s);
  std::thread worker([&s, end = theirs] { work(s, end); });
  EXPECT_EQ(ours->receive(20)->info.kind, FrameKind::hello);
  ours->send(make_frame({FrameKind::value, 0, s.program->hash, s.keys.key_id()},
                        encode_value(0, with_a_large_residue(s, 0))));
  const std::optional<Frame> answer = ours->receive(20);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->info.kind, FrameKind::failed);
  EXPECT_NE(std::string(parse_failed(*answer, "w").what()).find("expected residues below"),
            std::string::npos);
  worker.join();
}

TEST(Workers, with_none_left_the_error_says_why) {
  Session& s = patches();
  const Life dies = until_task(1, [](Session&, const std::shared_ptr<Transport>&) {});
  for (bool may_lose : {true, false}) {
    CoordinatorOptions options;
    options.replacements = 1;
    options.may_lose = may_lose;
    try {
      run(
          s, 2, 1, [&](i64, i64) { return dies; }, options);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::io);
      EXPECT_NE(std::string(e.what()).find("no worker is left"), std::string::npos) << e.what();
    }
  }
}

TEST(Workers, an_error_of_the_work_itself_ends_all_with_its_text) {
  Session& s = patches();
  const Life fails = until_task(1, [](Session& session, const std::shared_ptr<Transport>& end) {
    end->send(
        failed_frame({FrameKind::failed, 0, session.program->hash, session.keys.key_id()},
                     Error(ErrorKind::bad_input, "server.keys: damaged: the checksum of the key")));
    end->receive(5);
  });
  try {
    run(s, 2, 1, [&](i64 w, i64) -> Life { return w == 0 ? fails : Life(work); });
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_NE(std::string(e.what()).find("worker: server.keys: damaged"), std::string::npos);
  }
}

TEST(Workers, an_input_of_another_program_is_refused_before_anything_is_sent) {
  Session& s = patches();
  const ckks::Origin origin = s.inputs[0][0].origin();
  s.inputs[0][0].set_origin({s.keys.key_id(), s.program->hash + 1});
  EXPECT_THROW(run(s, 2, 1), Error);
  s.inputs[0][0].set_origin(origin);
}

TEST(Schedule, parts_wait_for_workers_and_lost_tasks_come_back) {
  Session& s = patches();
  const Segments segments = cut(*s.program);
  i64 exports = 0;
  for (const Segment& segment : segments.all) exports += std::ssize(segment.exports);
  EXPECT_GE(exports, std::ssize(segments.all));
  // Workers are lost all the time: the order stays possible and every segment is done once.
  for (double split_s : {0.0, 1e9}) {
    Schedule schedule(segments, split_s);
    schedule.add(4, false);
    std::vector<std::optional<Task>> running(3);
    std::set<TaskKind> kinds;
    i64 finished = 0;
    for (i64 round = 0; !schedule.is_finished(); ++round) {
      ASSERT_LT(round, 10000);
      for (size_t w = 0; w < running.size(); ++w)
        if (!running[w]) running[w] = schedule.take(i64(w), 3);
      size_t w = size_t(round % 3);
      while (!running[w]) {
        w = (w + 1) % 3;
        ASSERT_TRUE(running[w] || w != size_t(round % 3)) << "nobody has a task";
      }
      const Task task = *std::exchange(running[w], std::nullopt);
      if (round % 5 < 2) schedule.give_back(task);
      if (round % 5 == 1) schedule.lose(i64(w));
      if (round % 5 < 2) continue;
      schedule.done(task);
      kinds.insert(task.kind);
      if (task.kind == TaskKind::segment || task.kind == TaskKind::finish) ++finished;
    }
    EXPECT_EQ(finished, std::ssize(segments.all));
    EXPECT_EQ(kinds.contains(TaskKind::giants), split_s == 0);
    EXPECT_NEAR(schedule.seconds_done(), schedule.seconds_total(), 1e-6 * schedule.seconds_total());
  }
}

}  // namespace
}  // namespace sinter::serve

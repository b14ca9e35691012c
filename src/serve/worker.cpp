// SPDX-License-Identifier: Apache-2.0
// Three threads: the caller computes, one receives (values into the store, tasks into a queue), one
// encodes and sends results, and answers to pings, while the next instruction runs. The receiver
// never waits for a send: two workers whose parts go to each other would wait in a circle.
#include "serve/worker.h"

#include <atomic>
#include <new>
#include <set>
#include <thread>
#include <utility>

#include "base/timer.h"
#include "encrypted/execute.h"
#include "serve/messages.h"
#include "serve/queue.h"
#include "serve/store.h"

namespace sinter::serve {
namespace {

using ckks::Ciphertext;
using encrypted::EncryptedProgram;
using encrypted::Instruction;
using encrypted::Opcode;

constexpr double kPollSeconds = 1;

class Worker {
 public:
  Worker(Transport& transport, const EncryptedProgram& program,
         const encrypted::Resources& resources, const std::function<void()>& on_lost)
      : transport_(transport),
        program_(program),
        r_(resources),
        on_lost_(on_lost),
        segments_(cut(program)),
        last_(encrypted::last_uses(program)) {}

  void run() {
    transport_.send(
        hello_frame(info(FrameKind::hello, 0), {program_.params.hash(), u32(r_.pool.size())}));
    std::thread receiver([this] { receive_all(); });
    std::thread sender([this] { send_all(); });
    while (std::optional<Task> task = tasks_.pop()) attempt(*task);
    results_.close(true);
    sender.join();
    receiver.join();
  }

 private:
  FrameInfo info(FrameKind kind, u64 request) const {
    return {kind, request, program_.hash, r_.keys.key_id()};
  }

  void receive_all() {
    try {
      while (!is_stopped_)
        if (const std::optional<Frame> frame = transport_.receive(kPollSeconds)) accept(*frame);
    } catch (const Error& e) {  // the coordinator is gone, or what it sent is no value: the end
      tell(e);
    } catch (const std::exception&) {
    }
    if (on_lost_) on_lost_();
    is_stopped_ = true;
    tasks_.close(false);
  }

  /// The last word, if somebody is there to hear it.
  void tell(const Error& error) {
    try {
      transport_.send(failed_frame(info(FrameKind::failed, 0), error));
    } catch (const Error&) {
    }
  }

  void accept(const Frame& frame) {
    const std::string& peer = transport_.peer();
    const u64 request = frame.info.request;
    require(frame.info.program == program_.hash && frame.info.key == r_.keys.key_id(),
            ErrorKind::bad_input, peer, ": speaks of another program or key");
    switch (frame.info.kind) {
      case FrameKind::value: {
        const ValueHeader h = check_header(program_, frame, peer);
        store_.put(
            request, i32(h.value),
            std::make_shared<const Ciphertext>(decode_value(r_.context, program_, frame, peer)));
        break;
      }
      case FrameKind::part: {
        const ValueHeader h = check_header(program_, frame, peer);
        store_.put(request, i32(h.value), h.part,
                   std::make_shared<const ckks::LinearPart>(
                       decode_part(r_.context, program_, frame, peer)));
        break;
      }
      case FrameKind::task: {
        Task task = parse_task(frame, std::ssize(segments_.all), peer);
        prefetch_keys(task);
        tasks_.push(std::move(task));
        break;
      }
      case FrameKind::release:
        for (i32 v : parse_release(frame, peer)) store_.erase(request, v);
        break;
      case FrameKind::ping:
        results_.push([this] { return make_frame(info(FrameKind::pong, 0)); });
        break;
      case FrameKind::stop:
        is_stopped_ = true;
        break;
      default:
        require(false, ErrorKind::bad_input, peer, ": expected a frame for a worker, found kind ",
                u32(frame.info.kind));
    }
  }

  /// The keys of mapped files begin to be read while the task still waits.
  void prefetch_keys(const Task& task) const {
    if (task.kind == TaskKind::whole || task.kind == TaskKind::finish) return;
    const Instruction& i = head(task);
    if (i.op != Opcode::linear) return;
    const ckks::LinearPlan plan = program_.maps[size_t(i.table)].plan(program_.slots());
    const auto hint = [&](i64 steps) {
      if (steps != 0) r_.keys.will_need(r_.context, steps);
    };
    if (task.kind == TaskKind::giants) {
      const auto [from, to] = cut_of(task).giants(task.part);
      for (i64 g = from; g < to; ++g)
        hint(plan.form == ckks::GiantForm::horner ? plan.baby_count : plan.giants[size_t(g)].steps);
    } else {
      for (i64 steps : task.kind == TaskKind::sums ? plan.babies : plan.rotations) hint(steps);
    }
  }

  void send_all() {
    try {
      while (auto make = results_.pop()) transport_.send((*make)());
    } catch (const std::exception&) {  // nobody is there to be told
      results_.close(false);
    }
  }

  void attempt(const Task& task) {
    const u64 request = u64(task.request);
    const Timer timer;
    try {
      if (task.kind == TaskKind::whole)
        run_whole(request);
      else if (task.kind == TaskKind::sums)
        run_sums(task);
      else if (task.kind == TaskKind::giants)
        run_giants(task);
      else
        run_segment(task);
      const Frame frame = done_frame(info(FrameKind::done, request), {task.id, timer.wall_s()});
      results_.push([frame] { return frame; });
    } catch (const Error& e) {
      fail(request, e);
    } catch (const std::bad_alloc&) {
      fail(request, Error(ErrorKind::internal, "out of memory"));
    } catch (const std::exception& e) {
      fail(request, Error(ErrorKind::internal, e.what()));
    }
  }

  void fail(u64 request, const Error& error) {
    const Frame frame = failed_frame(info(FrameKind::failed, request), error);
    results_.push([frame] { return frame; });
  }

  void send_value(u64 request, i32 v, const Store::Value& x) {
    results_.push([this, request, v, x] {
      return make_frame(info(FrameKind::value, request), encode_value(u32(v), x));
    });
  }

  /// The value, made from its operand when it is a drop that is not here.
  Store::Value value(u64 request, i32 v) const {
    if (Store::Value found = store_.find(request, v)) return found;
    const Instruction& i = program_.instructions[size_t(v)];
    require(i.op == Opcode::drop, ErrorKind::internal, "worker: value ", v, " of request ", request,
            " was not sent");
    return std::make_shared<const Ciphertext>(
        encrypted::evaluate(program_, v, value(request, i.a).get(), nullptr, r_));
  }

  const Instruction& head(const Task& task) const {
    return program_.instructions[size_t(segments_.all[size_t(task.segment)].instructions.front())];
  }

  void run_whole(u64 request) {
    std::vector<Ciphertext> inputs;
    for (i32 k = 0; k < program_.input_count(); ++k) inputs.push_back(value(request, k)->clone());
    encrypted::ExecuteOptions options;
    options.cache = r_.cache;
    options.bootstrappers = r_.bootstrappers;
    options.linear = r_.linear;
    const auto out = std::make_shared<const Ciphertext>(
        encrypted::execute(program_, r_.context, r_.keys, inputs, r_.pool, options));
    send_value(request, i32(program_.instructions.size()) - 1, out);
  }

  MapCut cut_of(const Task& task) const {
    return {segments_.all[size_t(task.segment)].map, task.parts};
  }

  /// A part of a map goes to whoever computes part `reader` of it: it stays here when that is us.
  void place(const Task& task, i64 reader, const PartId& id, ckks::LinearPart part) {
    const u64 request = u64(task.request);
    const i32 v = segments_.all[size_t(task.segment)].instructions.front();
    const auto shared = std::make_shared<const ckks::LinearPart>(std::move(part));
    if (reader == task.part) return store_.put(request, v, id.number(), shared);
    results_.push([this, request, v, id, shared] {
      return make_frame(info(FrameKind::part, request), encode_part(u32(v), id, shared));
    });
  }

  void run_sums(const Task& task) {
    const Instruction& i = head(task);
    const encrypted::LinearMap& map = program_.maps[size_t(i.table)];
    const MapCut cut = cut_of(task);
    ckks::sum_limbs(
        r_.context, map.plan(program_.slots()), encrypted::source_of(map), i.plain_scale,
        *value(u64(task.request), i.a), r_.keys, r_.pool, cut.limbs(task.part), cut.chunk(),
        [&](ckks::LimbSums sums) {
          const int first = sums.total.first_limb;
          for (size_t g = 0; g < sums.rows.size(); ++g)
            if (!sums.rows[g].polys.empty())
              place(task, cut.owner(i64(g)), {PartKind::row, first, i64(g)},
                    std::move(sums.rows[g]));
          place(task, 0, {PartKind::limbs, first, 0}, std::move(sums.total));
        },
        r_.linear);
  }

  void run_giants(const Task& task) {
    const Instruction& i = head(task);
    const u64 request = u64(task.request);
    const i32 v = segments_.all[size_t(task.segment)].instructions.front();
    const auto [from, to] = cut_of(task).giants(task.part);
    std::vector<ckks::GiantRow> rows;
    const Store::Parts parts = store_.parts(request, v);
    for (const auto& [number, part] : parts) {
      const PartId id = PartId::of(number).value();
      if (id.kind != PartKind::row || id.giant < from || id.giant >= to) continue;
      rows.push_back({id.giant, part.get()});
      store_.erase_part(request, v, number);
    }
    place(task, 0, {PartKind::giants, 0, from},
          ckks::add_giants(r_.context, program_.maps[size_t(i.table)].plan(program_.slots()), from,
                           to, rows, r_.keys, r_.pool));
  }

  Ciphertext finished_map(const Task& task, i32 v) {
    const Store::Parts parts = store_.parts(u64(task.request), v);
    std::vector<const ckks::LinearPart*> terms;
    for (const auto& [number, part] : parts)
      if (PartId::of(number).value().kind != PartKind::row) terms.push_back(part.get());
    const i64 count = cut_of(task).term_count();
    require(std::ssize(terms) == count, ErrorKind::internal, "worker: value ", v, ": ",
            terms.size(), " of ", count, " terms were sent");
    return ckks::finish_linear(r_.context, terms, r_.pool);
  }

  void run_segment(const Task& task) {
    const Segment& segment = segments_.all[size_t(task.segment)];
    const u64 request = u64(task.request);
    const std::set<i32> exports(segment.exports.begin(), segment.exports.end());
    const std::set<i32> own(segment.instructions.begin(), segment.instructions.end());
    for (i32 v : segment.instructions) {
      const Instruction& i = program_.instructions[size_t(v)];
      const bool is_finish = task.kind == TaskKind::finish && v == segment.instructions.front();
      const Store::Value a = is_finish ? nullptr : value(request, i.a);
      const Store::Value b = i.b < 0 ? nullptr : value(request, i.b);
      const auto result = std::make_shared<const Ciphertext>(
          is_finish ? finished_map(task, v)
                    : encrypted::evaluate(program_, v, a.get(), b.get(), r_));
      if (is_finish) store_.erase(request, v);  // its parts
      store_.put(request, v, result);
      if (exports.contains(v)) send_value(request, v, result);
      for (i32 used : {i.a, i.b})
        if (used >= 0 && own.contains(used) && !exports.contains(used) && last_[size_t(used)] == v)
          store_.erase(request, used);
    }
    for (i32 v : segment.instructions)
      if (!exports.contains(v)) store_.erase(request, v);
  }

  Transport& transport_;
  const EncryptedProgram& program_;
  const encrypted::Resources& r_;
  const std::function<void()>& on_lost_;
  const Segments segments_;
  const std::vector<i32> last_;
  Store store_;
  Queue<Task> tasks_;
  Queue<std::function<Frame()>> results_;
  std::atomic<bool> is_stopped_ = false;
};

}  // namespace

void serve(Transport& transport, const EncryptedProgram& program,
           const encrypted::Resources& resources, const std::function<void()>& on_lost) {
  Worker(transport, program, resources, on_lost).run();
}

}  // namespace sinter::serve

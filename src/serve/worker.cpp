// SPDX-License-Identifier: Apache-2.0
// Three threads: the caller computes, one receives (values into the store, tasks into a queue,
// pings answered at once), one encodes and sends results while the next instruction runs.
#include "serve/worker.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <thread>
#include <utility>

#include "base/timer.h"
#include "encrypted/execute.h"
#include "serve/messages.h"

namespace sinter::serve {
namespace {

using ckks::Ciphertext;
using encrypted::EncryptedProgram;
using encrypted::Instruction;
using encrypted::Opcode;

constexpr double kPollSeconds = 1;

/// Values and parts of linear maps by request. thread: safe
class Store {
 public:
  using Value = std::shared_ptr<const Ciphertext>;
  using Part = std::shared_ptr<const ckks::ExtendedCiphertext>;

  void put(u64 request, i32 value, Value x) {
    const std::lock_guard lock(mutex_);
    values_[{request, value}] = std::move(x);
  }
  void put(u64 request, i32 value, u32 part, Part x) {
    const std::lock_guard lock(mutex_);
    parts_[{request, value}][part] = std::move(x);
  }
  /// nullptr when it is not here
  Value find(u64 request, i32 value) const {
    const std::lock_guard lock(mutex_);
    const auto it = values_.find({request, value});
    return it == values_.end() ? nullptr : it->second;
  }
  std::map<u32, Part> parts(u64 request, i32 value) const {
    const std::lock_guard lock(mutex_);
    const auto it = parts_.find({request, value});
    return it == parts_.end() ? std::map<u32, Part>() : it->second;
  }
  void erase(u64 request, i32 value) {
    const std::lock_guard lock(mutex_);
    values_.erase({request, value});
    parts_.erase({request, value});
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<u64, i32>, Value> values_;
  std::map<std::pair<u64, i32>, std::map<u32, Part>> parts_;
};

/// What one thread leaves for another. thread: safe
template <class Item>
class Queue {
 public:
  void push(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_one();
  }
  /// Wakes whoever waits; what is queued is still given out when drain is set.
  void close(bool drain) {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    if (!drain) items_.clear();
    changed_.notify_all();
  }
  /// Nothing once closed and empty.
  std::optional<Item> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool is_closed_ = false;
};

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
    } catch (const std::exception&) {  // the coordinator is gone or talks nonsense: the end
    }
    if (on_lost_) on_lost_();
    is_stopped_ = true;
    tasks_.close(false);
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
                   std::make_shared<const ckks::ExtendedCiphertext>(
                       decode_part(r_.context, program_, frame, peer)));
        break;
      }
      case FrameKind::task: {
        const i64 count = std::max(std::ssize(segments_.all), i64(1));
        Task task = parse_task(frame, count, peer);
        prefetch_keys(task);
        tasks_.push(std::move(task));
        break;
      }
      case FrameKind::release:
        for (i32 v : parse_release(frame, peer)) store_.erase(request, v);
        break;
      case FrameKind::ping:
        transport_.send(make_frame(info(FrameKind::pong, 0)));
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
    for (i64 steps : plan.rotations) r_.keys.will_need(r_.context, steps);
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
      else if (task.kind == TaskKind::part)
        run_part(task);
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
      return make_frame(info(FrameKind::value, request), encode_value(r_.context, u32(v), *x));
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

  void run_part(const Task& task) {
    const u64 request = u64(task.request);
    const i32 v = segments_.all[size_t(task.segment)].instructions.front();
    const Instruction& i = head(task);
    require(i.op == Opcode::linear, ErrorKind::bad_input, "worker: value ", v, " has no parts");
    const encrypted::LinearMap& map = program_.maps[size_t(i.table)];
    const ckks::LinearPlan part = ckks::giants_of(map.plan(program_.slots()), task.from, task.to);
    const auto sum = std::make_shared<const ckks::ExtendedCiphertext>(
        ckks::apply_linear_part(r_.context, part, encrypted::source_of(map), i.plain_scale,
                                *value(request, i.a), r_.keys, r_.pool, r_.linear));
    store_.put(request, v, u32(task.part), sum);
    results_.push([this, request, v, part = u32(task.part), sum] {
      return make_frame(info(FrameKind::part, request),
                        encode_part(r_.context, u32(v), part, *sum));
    });
  }

  Ciphertext finished_map(const Task& task, i32 v) {
    const std::map<u32, Store::Part> parts = store_.parts(u64(task.request), v);
    std::vector<const ckks::ExtendedCiphertext*> all;
    for (const auto& [number, part] : parts)
      if (number < u32(task.parts)) all.push_back(part.get());
    require(std::ssize(all) == task.parts, ErrorKind::internal, "worker: value ", v, ": ",
            all.size(), " of ", task.parts, " parts were sent");
    return ckks::finish_linear(r_.context, all, r_.pool);
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

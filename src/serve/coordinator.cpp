// SPDX-License-Identifier: Apache-2.0
// One thread per worker drives it: takes a task, sends what the worker lacks, waits for results.
// All of them share one state under one lock; frames are sent and received outside it.
#include "serve/coordinator.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "ckks/evaluate.h"
#include "encrypted/execute.h"
#include "serve/ledger.h"
#include "serve/schedule.h"

namespace sinter::serve {
namespace {

using encrypted::Opcode;
using Clock = std::chrono::steady_clock;

constexpr double kPollSeconds = 0.2, kPingSeconds = 1;
constexpr double kSlack = 30;  // times the predicted seconds: machines are slower and shared

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The task of somebody else failed: this thread ends without a word of its own.
struct Stopped {};

/// Why the whole run fails, as against the loss of one worker.
struct Fatal {
  Error error;
};

/// Errors of the files are no worker's.
template <class Body>
auto fatal_if_it_fails(const Body& body) {
  try {
    return body();
  } catch (const Error& e) {
    throw Fatal{e};
  }
}

struct WorkerState {
  std::shared_ptr<Transport> transport;  ///< nullptr when there is none
  std::optional<Task> task;
};

class Coordinator {
 public:
  Coordinator(const encrypted::EncryptedProgram& program, const ckks::Context& context,
              const ckks::EvaluationKeys& keys, const std::function<Link(i64)>& connect,
              const Requests& requests, const CoordinatorOptions& options)
      : program_(program),
        context_(context),
        keys_(keys),
        connect_(connect),
        requests_(requests),
        options_(options),
        segments_(cut(program)),
        schedule_(program, segments_),
        workers_(size_t(options.workers)),
        ledger_(options.workers),
        starting_(options.workers),
        replacements_(options.replacements),
        places_(options.workers) {
    stats_.busy_s.resize(workers_.size());
    const i64 in_segments = requests.count % options.workers;
    for (i64 r = 0; r < requests.count; ++r)
      schedule_.add(r, options.workers == 1 || r < requests.count - in_segments);
  }

  CoordinatorStats run() {
    std::vector<std::thread> threads;
    for (i64 w = 0; w < options_.workers; ++w) threads.emplace_back([this, w] { drive(w); });
    for (std::thread& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
    return stats_;
  }

 private:
  FrameInfo info(FrameKind kind, i64 request) const {
    return {kind, u64(request), program_.hash, keys_.key_id()};
  }

  /// The life of worker w and of those started in its place.
  void drive(i64 w) {
    bool is_first = true;
    while (true) {
      Link link;
      try {
        link = connect_(w);
        greet(w, link);
        arrived(std::exchange(is_first, false));
        serve_worker(w);
        link.transport->send(make_frame(info(FrameKind::stop, 0)));
        return leave(w, link, false);
      } catch (const Error& e) {
        leave(w, link, true);
        arrived(std::exchange(is_first, false));
        if (!replace(e)) return;
      } catch (const Stopped&) {
        return leave(w, link, true);
      } catch (const Fatal& f) {
        stop(std::make_exception_ptr(f.error));
        return leave(w, link, true);
      } catch (...) {
        stop(std::current_exception());
        return leave(w, link, true);
      }
    }
  }

  void greet(i64 w, const Link& link) {
    Transport& transport = *link.transport;
    const std::string& peer = transport.peer();
    const Clock::time_point began = Clock::now();
    std::optional<Frame> frame;
    while (!(frame = transport.receive(kPollSeconds))) {
      check_running();
      require(seconds_since(began) < options_.start_s, ErrorKind::io, peer,
              ": did not start within ", options_.start_s, " s");
    }
    if (frame->info.kind == FrameKind::failed) throw Fatal{parse_failed(*frame, peer)};
    require(frame->info.kind == FrameKind::hello, ErrorKind::bad_input, peer,
            ": expected a greeting, found a frame of kind ", u32(frame->info.kind));
    if (!is_ours(*frame) || parse_hello(*frame, peer).params != program_.params.hash())
      throw Fatal{Error(ErrorKind::bad_argument,
                        peer + ": opened another program or other keys than the coordinator; give "
                               "all of them the same files")};
    const std::lock_guard lock(mutex_);
    workers_[size_t(w)] = {link.transport, std::nullopt};
  }

  bool is_ours(const Frame& frame) const {
    return frame.info.program == program_.hash && frame.info.key == keys_.key_id();
  }

  void check_running() {
    const std::lock_guard lock(mutex_);
    if (failure_) throw Stopped{};
  }

  /// The first tasks are handed out when all workers are there or lost, so that they are shared.
  void arrived(bool is_first) {
    const std::lock_guard lock(mutex_);
    if (is_first) --starting_;
    changed_.notify_all();
  }

  void stop(std::exception_ptr why) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = why;
    changed_.notify_all();
  }

  /// Ends a worker that is done, or lost: then its task is free again.
  void leave(i64 w, const Link& link, bool at_once) {
    {
      const std::lock_guard lock(mutex_);
      WorkerState& state = workers_[size_t(w)];
      if (state.task) {
        schedule_.give_back(*state.task);
        ++stats_.lost_tasks;
      }
      state = {};
      ledger_.lose(w);
      changed_.notify_all();
    }
    if (link.end) link.end(at_once);
  }

  /// A worker was lost: may there be another in its place?
  bool replace(const Error& why) {
    const std::lock_guard lock(mutex_);
    if (failure_ || schedule_.is_finished()) return false;
    ++stats_.lost_workers;
    const bool goes_on = options_.may_lose && replacements_ > 0;
    if (goes_on)
      --replacements_;
    else
      --places_;
    if (options_.warn)
      options_.warn(std::string(why.what()) +
                    (goes_on ? "; its work is done again" : "; no other is started"));
    if (!options_.may_lose || places_ == 0)
      failure_ = std::make_exception_ptr(
          Error(ErrorKind::io, std::string("no worker is left for the rest: ") + why.what()));
    changed_.notify_all();
    return goes_on;
  }

  void serve_worker(i64 w) {
    while (std::optional<Task> task = next_task(w)) {
      const Clock::time_point began = Clock::now();
      send_task(w, *task);
      await(w, *task);
      deliver(*task);
      const std::lock_guard lock(mutex_);
      stats_.busy_s[size_t(w)] += seconds_since(began);
    }
  }

  /// Waits for work; nothing when all is done.
  std::optional<Task> next_task(i64 w) {
    std::unique_lock lock(mutex_);
    ++idle_;
    std::optional<Task> task;
    changed_.wait(lock, [&] {
      if (failure_) return true;
      if (starting_ > 0) return false;
      task = schedule_.take(idle_);
      return task || schedule_.is_finished();
    });
    --idle_;
    if (failure_) {
      if (task) schedule_.give_back(*task);
      throw Stopped{};
    }
    workers_[size_t(w)].task = task;
    return task;
  }

  void send_task(i64 w, const Task& task) {
    load_inputs(task);
    std::vector<Frame> frames;
    std::shared_ptr<Transport> transport;
    {
      const std::lock_guard lock(mutex_);
      transport = workers_[size_t(w)].transport;
      for (const auto& [request, values] : ledger_.take_released(w))
        frames.push_back(release_frame(info(FrameKind::release, request), values));
      for (const ValueKey& key : operands_of(program_, segments_, task))
        if (std::optional<Frame> frame = ledger_.lend(w, key)) frames.push_back(*frame);
      frames.push_back(task_frame(info(FrameKind::task, task.request), task));
      for (const Frame& frame : frames) stats_.sent_bytes += std::ssize(frame.payload->bytes());
    }
    for (const Frame& frame : frames) transport->send(frame);
  }

  /// The inputs of a request, when its first task begins.
  void load_inputs(const Task& task) {
    const std::lock_guard files(files_mutex_);
    if (!loaded_.insert(task.request).second) return;
    const std::vector<ckks::Ciphertext> inputs = fatal_if_it_fails([&] {
      std::vector<ckks::Ciphertext> read = requests_.input(task.request);
      encrypted::check_call(program_, context_, keys_, read);
      return read;
    });
    key_of_[task.request] = inputs[0].origin().key;
    for (i64 k = 0; k < program_.input_count(); ++k) {
      const ckks::Ciphertext x =
          ckks::drop_to_level(context_, inputs[size_t(k)], program_.input_level(k));
      const Frame frame =
          make_frame(info(FrameKind::value, task.request), encode_value(context_, u32(k), x));
      const std::lock_guard lock(mutex_);
      ledger_.put({task.request, u32(k)}, frame, -1);
    }
  }

  void await(i64 w, const Task& task) {
    const std::shared_ptr<Transport> transport = workers_[size_t(w)].transport;
    const std::string& peer = transport->peer();
    Clock::time_point began = Clock::now();
    const double limit =
        std::max(options_.task_s, kSlack * task.seconds / double(options_.threads));
    const double pause = std::min(kPingSeconds, options_.silence_s / 4);  // between questions
    Clock::time_point heard = began, asked = began;
    while (true) {
      const Clock::time_point turn = Clock::now();
      const std::optional<Frame> frame = transport->receive(kPollSeconds);
      if (frame) heard = Clock::now();
      if (!frame && seconds_since(turn) > kPingSeconds) {  // this process was stopped, not they
        const Clock::duration stopped = Clock::now() - turn;
        began += stopped, heard += stopped;
      }
      if (frame && accept(w, *frame, task, *transport)) return;
      check_running();
      require(seconds_since(began) < limit, ErrorKind::io, peer, ": a task took longer than ",
              limit, " s");
      require(seconds_since(heard) < options_.silence_s, ErrorKind::io, peer,
              ": did not answer for ", options_.silence_s, " s");
      if (seconds_since(heard) < pause || seconds_since(asked) < pause) continue;
      transport->send(make_frame(info(FrameKind::ping, 0)));
      asked = Clock::now();
    }
  }

  /// True when the task is computed.
  bool accept(i64 w, const Frame& frame, const Task& task, const Transport& transport) {
    const std::string& peer = transport.peer();
    require(is_ours(frame), ErrorKind::bad_input, peer, ": speaks of another program or key");
    switch (frame.info.kind) {
      case FrameKind::pong:
        return false;
      case FrameKind::failed:
        throw Fatal{parse_failed(frame, peer)};
      case FrameKind::value:
      case FrameKind::part:
        keep(w, frame, task, peer);
        return false;
      case FrameKind::done:
        require(parse_done(frame, peer).id == task.id && has_results(task), ErrorKind::bad_input,
                peer, ": says that a task is done whose results it did not send");
        return true;
      default:
        require(false, ErrorKind::bad_input, peer, ": expected a result, found a frame of kind ",
                u32(frame.info.kind));
    }
    return false;
  }

  bool has_results(const Task& task) {
    const std::lock_guard lock(mutex_);
    return std::ranges::all_of(results_of(program_, segments_, task),
                               [&](const ValueKey& key) { return ledger_.contains(key); });
  }

  void keep(i64 w, const Frame& frame, const Task& task, const std::string& peer) {
    const ValueHeader h = check_value(context_, program_, frame, peer);
    const ValueKey key{i64(frame.info.request), h.value, h.part};
    const std::vector<ValueKey> expected = results_of(program_, segments_, task);
    require(std::ranges::count(expected, key) == 1, ErrorKind::bad_input, peer, ": sent value ",
            h.value, " of request ", key.request, ", which it was not asked for");
    std::vector<std::shared_ptr<Transport>> others;
    {
      const std::lock_guard lock(mutex_);
      ledger_.put(key, frame, w);
      stats_.received_bytes += std::ssize(frame.payload->bytes());
      if (h.part != kNoPart) others = part_readers(w, task, key);
    }
    for (const std::shared_ptr<Transport>& other : others) forward(*other, frame);
  }

  /// Who works on another part of the same map will perhaps finish it: parts go there at once,
  /// while it still computes.
  std::vector<std::shared_ptr<Transport>> part_readers(i64 w, const Task& task,
                                                       const ValueKey& key) {
    std::vector<std::shared_ptr<Transport>> all;
    for (i64 other = 0; other < options_.workers; ++other) {
      const WorkerState& state = workers_[size_t(other)];
      const bool is_near =
          other != w && state.transport && state.task && state.task->kind == TaskKind::part &&
          state.task->request == task.request && state.task->segment == task.segment;
      if (!is_near) continue;
      if (const std::optional<Frame> frame = ledger_.lend(other, key)) {
        all.push_back(state.transport);
        stats_.sent_bytes += std::ssize(frame->payload->bytes());
      }
    }
    return all;
  }

  /// A failure is the business of the thread that drives the other worker.
  static void forward(Transport& other, const Frame& frame) {
    try {
      other.send(frame);
    } catch (const Error&) {
    }
  }

  /// Counts the task as done, forgets what nobody needs, and hands out a result that is complete.
  void deliver(const Task& task) {
    std::optional<Frame> output;
    {
      const std::lock_guard lock(mutex_);
      for (WorkerState& state : workers_)
        if (state.task && state.task->id == task.id) state.task.reset();
      ++stats_.tasks;
      const std::vector<i32> released = schedule_.done(task);
      for (i32 v : released) ledger_.forget(task.request, v);
      if (task.kind == TaskKind::finish)
        ledger_.forget_parts(task.request,
                             segments_.all[size_t(task.segment)].instructions.front());
      if (schedule_.is_finished(task.request))
        output = ledger_.take_last(task.request, u32(program_.instructions.size() - 1));
      changed_.notify_all();
    }
    if (output) write(task.request, *output);
    report();
  }

  void write(i64 request, const Frame& frame) {
    ckks::Ciphertext x = decode_value(context_, program_, frame, "result");
    const std::lock_guard files(files_mutex_);
    x.set_origin({key_of_.at(request), program_.hash});
    fatal_if_it_fails([&] { requests_.output(request, x); });
  }

  void report() {
    if (!options_.progress) return;
    const std::lock_guard lock(mutex_);
    options_.progress(i64(1000 * schedule_.seconds_done()), i64(1000 * schedule_.seconds_total()),
                      "workers");
  }

  const encrypted::EncryptedProgram& program_;
  const ckks::Context& context_;
  const ckks::EvaluationKeys& keys_;
  const std::function<Link(i64)>& connect_;
  const Requests& requests_;
  const CoordinatorOptions& options_;
  const Segments segments_;

  std::mutex mutex_;  // of everything below, but for what files_mutex_ guards
  std::condition_variable changed_;
  Schedule schedule_;
  std::vector<WorkerState> workers_;
  Ledger ledger_;
  std::exception_ptr failure_;
  i64 starting_, replacements_;  ///< to come, and allowed
  i64 places_;                   ///< workers that are there or will come
  i64 idle_ = 0;
  CoordinatorStats stats_;

  std::mutex files_mutex_;  // taken before mutex_
  std::set<i64> loaded_;
  std::map<i64, u64> key_of_;
};

}  // namespace

CoordinatorStats coordinate(const encrypted::EncryptedProgram& program,
                            const ckks::Context& context, const ckks::EvaluationKeys& keys,
                            const std::function<Link(i64)>& connect, const Requests& requests,
                            const CoordinatorOptions& options) {
  require(options.workers >= 1 && options.threads >= 1, ErrorKind::bad_argument,
          "workers: expected at least one, found ", options.workers);
  return Coordinator(program, context, keys, connect, requests, options).run();
}

}  // namespace sinter::serve

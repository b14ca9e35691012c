// SPDX-License-Identifier: Apache-2.0
#include "serve/worker_driver.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sinter::serve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kPollSeconds = 0.2, kPingSeconds = 1;
constexpr double kSlack = 30;  // times the predicted seconds: machines are slower and shared

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// How long a worker has been at its task, and how long it has not been heard.
class Watch {
 public:
  Watch(const CoordinatorOptions& options, const Task& task)
      : limit_(std::max(options.task_s, kSlack * task.seconds / double(options.threads))),
        silence_(options.silence_s),
        pause_(std::min(kPingSeconds, options.silence_s / 4)) {}

  /// After every wait for a frame, when what came is done with: passing it on to others may take
  /// long, and meanwhile nobody listens. Where it took long without a frame this process was
  /// stopped, not they.
  void waited(bool has_heard) {
    const Clock::time_point now = Clock::now();
    const Clock::duration turn = now - std::exchange(turn_, now);
    if (has_heard)
      heard_ = now;
    else if (turn > std::chrono::duration<double>(kPingSeconds))
      began_ += turn, heard_ += turn;
  }
  /// throws  Error(io) when the worker takes too long or does not answer
  void check(const std::string& peer) const {
    require(seconds_since(began_) < limit_, ErrorKind::io, peer, ": a task took longer than ",
            limit_, " s");
    require(seconds_since(heard_) < silence_, ErrorKind::io, peer, ": did not answer for ",
            silence_, " s");
  }
  /// Once per pause in which nothing was heard.
  bool should_ask() {
    if (seconds_since(heard_) < pause_ || seconds_since(asked_) < pause_) return false;
    asked_ = Clock::now();
    return true;
  }

 private:
  const double limit_, silence_, pause_;
  Clock::time_point began_ = Clock::now(), heard_ = began_, asked_ = began_, turn_ = began_;
};

/// A failure is the business of the thread that drives the other worker.
void forward(Transport& other, const Frame& frame) {
  try {
    other.send(frame);
  } catch (const Error&) {
  }
}

}  // namespace

void WorkerDriver::run(const std::function<Link(i64 worker)>& connect) {
  while (true) {
    try {
      link_ = connect(w_);
      greet();
      arrived();
      serve();
      peer().send(make_frame(job_.info(FrameKind::stop, 0)));
      return leave(false);
    } catch (const Error& e) {
      const bool goes_on = state_.lose(w_, e);
      end_link(true);
      arrived();
      if (!goes_on) return;
    } catch (const Stopped&) {
      return leave(true);
    } catch (const Fatal& f) {
      state_.fail(std::make_exception_ptr(f.error));
      return leave(true);
    } catch (...) {
      state_.fail(std::current_exception());
      return leave(true);
    }
  }
}

void WorkerDriver::greet() {
  const std::string& name = peer().peer();
  const Clock::time_point began = Clock::now();
  std::optional<Frame> frame;
  while (!(frame = peer().receive(kPollSeconds))) {
    state_.check_running();
    require(seconds_since(began) < job_.options.start_s, ErrorKind::io, name,
            ": did not start within ", job_.options.start_s, " s");
  }
  if (frame->info.kind == FrameKind::failed) throw Fatal{parse_failed(*frame, name)};
  require(frame->info.kind == FrameKind::hello, ErrorKind::bad_input, name,
          ": expected a greeting, found a frame of kind ", u32(frame->info.kind));
  if (!job_.is_ours(*frame) || parse_hello(*frame, name).params != job_.program.params.hash())
    throw Fatal{Error(ErrorKind::bad_argument,
                      name + ": opened another program or other keys than the coordinator; give "
                             "all of them the same files")};
  state_.attach(w_, link_.transport);
}

void WorkerDriver::arrived() {
  if (!std::exchange(has_arrived_, true)) state_.arrived();
}

void WorkerDriver::leave(bool at_once) {
  state_.detach(w_);
  end_link(at_once);
}

void WorkerDriver::end_link(bool at_once) {
  const Link link = std::exchange(link_, {});
  if (link.end) link.end(at_once);
}

void WorkerDriver::serve() {
  while (const std::optional<Task> task = state_.next_task(w_)) {
    const Clock::time_point began = Clock::now();
    send(*task);
    await(*task);
    if (const std::optional<Frame> output = state_.done(w_, *task, seconds_since(began)))
      files_.write(task->request, *output);
  }
}

void WorkerDriver::send(const Task& task) {
  files_.load(task.request);
  for (const Frame& frame : state_.frames_for(w_, task)) peer().send(frame);
}

void WorkerDriver::await(const Task& task) {
  Watch watch(job_.options, task);
  while (true) {
    const std::optional<Frame> frame = peer().receive(kPollSeconds);
    if (frame && accept(*frame, task)) return;
    watch.waited(frame.has_value());
    state_.check_running();
    watch.check(peer().peer());
    if (watch.should_ask()) peer().send(make_frame(job_.info(FrameKind::ping, 0)));
  }
}

/// True when the task is computed.
bool WorkerDriver::accept(const Frame& frame, const Task& task) {
  const std::string& name = peer().peer();
  require(job_.is_ours(frame), ErrorKind::bad_input, name, ": speaks of another program or key");
  switch (frame.info.kind) {
    case FrameKind::pong:
      return false;
    case FrameKind::failed:
      throw Fatal{parse_failed(frame, name)};
    case FrameKind::value:
    case FrameKind::part:
      keep(frame, task);
      return false;
    case FrameKind::done:
      require(parse_done(frame, name).id == task.id && state_.has_results(task),
              ErrorKind::bad_input, name,
              ": says that a task is done whose results it did not send");
      return true;
    default:
      require(false, ErrorKind::bad_input, name, ": expected a result, found a frame of kind ",
              u32(frame.info.kind));
  }
  return false;
}

void WorkerDriver::keep(const Frame& frame, const Task& task) {
  const std::string& name = peer().peer();
  const ValueHeader h = check_header(job_.program, frame, name);
  // Who reads a value checks its residues; the last one is read here.
  if (size_t(h.value) + 1 == job_.program.instructions.size() && h.part == kNoPart)
    check_value(job_.context, job_.program, frame, name);
  const ValueKey key =
      key_of_result(job_.program, job_.segments, task, i64(frame.info.request), h, name);
  for (const std::shared_ptr<Transport>& other : state_.keep(w_, task, key, frame))
    forward(*other, frame);
}

}  // namespace sinter::serve

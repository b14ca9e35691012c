// SPDX-License-Identifier: Apache-2.0
#include "serve/shared_state.h"

#include <algorithm>
#include <utility>

namespace sinter::serve {

SharedState::SharedState(const Job& job)
    : job_(job),
      schedule_(job.segments, job.options.split_s),
      workers_(size_t(job.options.workers)),
      ledger_(job.options.workers),
      starting_(job.options.workers),
      replacements_(job.options.replacements),
      places_(job.options.workers) {
  stats_.busy_s.resize(workers_.size());
  const i64 count = job.requests.count, workers = job.options.workers;
  for (i64 r = 0; r < count; ++r) schedule_.add(r, workers == 1 || r < count - count % workers);
}

void SharedState::arrived() {
  const std::lock_guard lock(mutex_);
  --starting_;
  changed_.notify_all();
}

void SharedState::attach(i64 w, const std::shared_ptr<Transport>& transport) {
  const std::lock_guard lock(mutex_);
  workers_[size_t(w)] = {transport, std::nullopt};
}

void SharedState::detach(i64 w) {
  const std::lock_guard lock(mutex_);
  free_worker(w);
}

void SharedState::free_worker(i64 w) {
  WorkerState& state = workers_[size_t(w)];
  if (state.task) {
    schedule_.give_back(*state.task);
    ++stats_.lost_tasks;
  }
  state = {};
  schedule_.lose(w);
  ledger_.lose(w);
  changed_.notify_all();
}

bool SharedState::lose(i64 w, const Error& why) {
  const std::lock_guard lock(mutex_);
  // Its task is free only after this is decided: another worker may end all work with it.
  const bool is_over = failure_ || schedule_.is_finished();
  free_worker(w);
  if (is_over) return false;
  ++stats_.lost_workers;
  const bool goes_on = job_.options.may_lose && replacements_ > 0;
  if (goes_on)
    --replacements_;
  else
    --places_;
  if (job_.options.warn)
    job_.options.warn(std::string(why.what()) +
                      (goes_on ? "; its work is done again" : "; no other is started"));
  if (!job_.options.may_lose || places_ == 0)
    failure_ = std::make_exception_ptr(
        Error(ErrorKind::io, std::string("no worker is left for the rest: ") + why.what()));
  return goes_on;
}

std::optional<Task> SharedState::next_task(i64 w) {
  std::unique_lock lock(mutex_);
  std::optional<Task> task;
  changed_.wait(lock, [&] {
    if (failure_) return true;
    if (starting_ > 0) return false;
    const i64 sharers = std::ranges::count_if(workers_, [](const WorkerState& state) {
      return state.transport && !(state.task && state.task->kind == TaskKind::whole);
    });
    task = schedule_.take(w, sharers);
    return task || schedule_.is_finished();
  });
  if (failure_) throw Stopped{};
  workers_[size_t(w)].task = task;
  return task;
}

std::vector<Frame> SharedState::frames_for(i64 w, const Task& task) {
  const std::lock_guard lock(mutex_);
  std::vector<Frame> frames;
  for (const auto& [request, values] : ledger_.take_released(w))
    frames.push_back(release_frame(job_.info(FrameKind::release, request), values));
  for (const ValueKey& key : operands_of(job_.program, job_.segments, task))
    if (std::optional<Frame> frame = ledger_.lend(w, key)) frames.push_back(*frame);
  frames.push_back(task_frame(job_.info(FrameKind::task, task.request), task));
  for (const Frame& frame : frames) stats_.sent_bytes += frame.payload->size();
  return frames;
}

void SharedState::put_input(i64 request, u32 value, const Frame& frame) {
  const std::lock_guard lock(mutex_);
  ledger_.put({request, value}, frame, -1);
}

std::vector<std::shared_ptr<Transport>> SharedState::keep(i64 w, const Task& task,
                                                          const ValueKey& key, const Frame& frame) {
  const std::lock_guard lock(mutex_);
  // A worker does not keep the parts that it makes for others.
  ledger_.put(key, frame, key.part == kNoPart ? w : -1);
  stats_.received_bytes += frame.payload->size();
  if (key.part == kNoPart) return {};
  return part_readers(task, key);
}

/// Parts of a map go to whoever will need them at once, while it still computes.
std::vector<std::shared_ptr<Transport>> SharedState::part_readers(const Task& task,
                                                                  const ValueKey& key) {
  const i64 reader = schedule_.reader_of(task, PartId::of(key.part).value());
  if (reader < 0 || !workers_[size_t(reader)].transport) return {};
  const std::optional<Frame> frame = ledger_.lend(reader, key);
  if (!frame) return {};
  stats_.sent_bytes += frame->payload->size();
  return {workers_[size_t(reader)].transport};
}

bool SharedState::has_results(const Task& task) {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(results_of(job_.program, job_.segments, task),
                             [&](const ValueKey& key) { return ledger_.contains(key); });
}

std::optional<Frame> SharedState::done(i64 w, const Task& task, double busy_s) {
  const std::lock_guard lock(mutex_);
  workers_[size_t(w)].task.reset();
  stats_.busy_s[size_t(w)] += busy_s;
  ++stats_.tasks;
  const bool is_whole = task.kind == TaskKind::whole;
  const i32 first = is_whole ? -1 : job_.segments.all[size_t(task.segment)].instructions.front();
  const double now = timer_.wall_s();
  stats_.runs.push_back({task, w, first, now - busy_s, now});
  for (i32 v : schedule_.done(task)) ledger_.forget(task.request, v);
  if (task.kind == TaskKind::finish)
    ledger_.forget_parts(task.request,
                         job_.segments.all[size_t(task.segment)].instructions.front());
  std::optional<Frame> output;
  if (schedule_.is_finished(task.request))
    output = ledger_.take_last(task.request, u32(job_.program.instructions.size() - 1));
  report();
  changed_.notify_all();
  return output;
}

void SharedState::report() const {
  if (job_.options.progress)
    job_.options.progress(i64(1000 * schedule_.seconds_done()),
                          i64(1000 * schedule_.seconds_total()), "workers");
}

void SharedState::fail(std::exception_ptr why) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = why;
  changed_.notify_all();
}

void SharedState::check_running() {
  const std::lock_guard lock(mutex_);
  if (failure_) throw Stopped{};
}

const CoordinatorStats& SharedState::result() const {
  if (failure_) std::rethrow_exception(failure_);
  return stats_;
}

}  // namespace sinter::serve

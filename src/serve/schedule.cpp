// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sinter::serve {
namespace {

constexpr double kMinSplitSeconds = 0.02;  // below it a part costs more in messages than it saves

/// Cuts a map's giants into at most `parts`. In units of one transform of all limbs: a diagonal is
/// encoded (its period's share of a transform, and about as much for the embedding) and multiplied;
/// a giant is a key switch of `digits` digits.
std::vector<i64> cut_giants(const encrypted::EncryptedProgram& program,
                            const encrypted::Instruction& i, i64 parts) {
  const encrypted::LinearMap& map = program.maps[size_t(i.table)];
  const i64 special = std::max(i64(1), std::ssize(program.params.p()));
  const double share = double(map.period()) / double(program.slots());
  const double digits = double((i.level + special) / special);
  return ckks::split_giants(map.plan(program.slots()), parts, 1.5 * share + 0.25, digits + 1);
}

}  // namespace

void Schedule::add(i64 number, bool is_whole) {
  Request request;
  request.is_whole = is_whole || segments_.all.empty();
  request.readers = segments_.read_count;
  if (!request.is_whole)
    for (const Segment& segment : segments_.all) {
      SegmentState& s = request.segments.emplace_back();
      s.waits_for = segment.needs;
      if (s.waits_for == 0) s.state = State::ready;
    }
  total_ += segments_.seconds;
  requests_.emplace(number, std::move(request));
}

bool Schedule::has_work(const SegmentState& s) const {
  if (s.state == State::ready) return true;
  if (s.state != State::split) return false;
  return std::ranges::count(s.parts, PartState::free) > 0 ||
         std::ranges::count(s.parts, PartState::done) == std::ssize(s.parts);
}

Schedule::Choice Schedule::best() const {
  Choice found;
  double path = -1;
  for (const auto& [number, request] : requests_)
    for (size_t k = 0; k < request.segments.size(); ++k)
      if (has_work(request.segments[k]) && segments_.all[k].to_end > path) {
        found = {number, i32(k)};
        path = segments_.all[k].to_end;
      }
  return found;
}

double Schedule::ready_seconds() const {
  double sum = 0;
  for (const auto& [number, request] : requests_)
    for (size_t k = 0; k < request.segments.size(); ++k)
      if (request.segments[k].state == State::ready) sum += segments_.all[k].seconds;
  return sum;
}

Task Schedule::task_for(TaskKind kind, const Choice& at, double seconds) {
  Task task;
  task.id = next_id_++;
  task.kind = kind;
  task.request = at.request;
  task.segment = std::max(i32(0), at.segment);
  task.seconds = seconds;
  return task;
}

/// As many parts as the map's share of what is ready is worth in waiting workers.
void Schedule::split(i64 number, i32 k, i64 idle) {
  const Segment& segment = segments_.all[size_t(k)];
  SegmentState& s = requests_.at(number).segments[size_t(k)];
  if (!segment.is_map || segment.map_seconds < kMinSplitSeconds) return;
  const double share = segment.map_seconds / std::max(ready_seconds(), 1e-9);
  const i64 parts = std::clamp(std::llround(share * double(idle)), 1LL, (long long)(idle));
  if (parts < 2) return;
  s.borders = cut_giants(program_, program_.instructions[size_t(segment.instructions[0])], parts);
  if (s.borders.size() < 3) return;
  s.parts.assign(s.borders.size() - 1, PartState::free);
  s.state = State::split;
}

Task Schedule::take_part(const Choice& at, SegmentState& s) {
  const Segment& segment = segments_.all[size_t(at.segment)];
  const i64 count = std::ssize(s.parts);
  const auto free = std::ranges::find(s.parts, PartState::free);
  if (free == s.parts.end()) {
    s.state = State::running;
    Task task = task_for(TaskKind::finish, at, segment.seconds - segment.map_seconds);
    task.parts = i32(count);
    return task;
  }
  *free = PartState::running;
  Task task = task_for(TaskKind::part, at, segment.map_seconds / double(count));
  task.part = i32(free - s.parts.begin());
  task.parts = i32(count);
  task.from = s.borders[size_t(task.part)];
  task.to = s.borders[size_t(task.part) + 1];
  return task;
}

std::optional<Task> Schedule::take(i64 idle) {
  for (auto& [number, request] : requests_)
    if (request.is_whole && !request.is_running) {
      request.is_running = true;
      return task_for(TaskKind::whole, {number, -1}, segments_.seconds);
    }
  const Choice at = best();
  if (at.segment < 0) return std::nullopt;
  SegmentState& s = requests_.at(at.request).segments[size_t(at.segment)];
  if (s.state == State::ready) split(at.request, at.segment, idle);
  if (s.state == State::split) return take_part(at, s);
  s.state = State::running;
  return task_for(TaskKind::segment, at, segments_.all[size_t(at.segment)].seconds);
}

void Schedule::finish_segment(Request& request, i32 k, std::vector<i32>& released) {
  const Segment& segment = segments_.all[size_t(k)];
  request.segments[size_t(k)].state = State::done;
  for (i32 r : segment.readers) {
    SegmentState& reader = request.segments[size_t(r)];
    if (--reader.waits_for == 0) reader.state = State::ready;
  }
  for (i32 v : segment.operands)
    if (--request.readers[size_t(v)] == 0) released.push_back(v);
}

std::vector<i32> Schedule::done(const Task& task) {
  Request& request = requests_.at(task.request);
  std::vector<i32> released;
  done_ += task.seconds;
  if (task.kind == TaskKind::part) {
    request.segments[size_t(task.segment)].parts[size_t(task.part)] = PartState::done;
    return released;
  }
  if (task.kind != TaskKind::whole) finish_segment(request, task.segment, released);
  if (std::ranges::all_of(request.segments,
                          [](const SegmentState& s) { return s.state == State::done; }))
    requests_.erase(task.request);
  return released;
}

void Schedule::give_back(const Task& task) {
  Request& request = requests_.at(task.request);
  if (task.kind == TaskKind::whole) {
    request.is_running = false;
    return;
  }
  SegmentState& s = request.segments[size_t(task.segment)];
  if (task.kind == TaskKind::part) s.parts[size_t(task.part)] = PartState::free;
  if (task.kind == TaskKind::segment) s.state = State::ready;
  if (task.kind == TaskKind::finish) s.state = State::split;
}

}  // namespace sinter::serve

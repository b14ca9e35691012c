// SPDX-License-Identifier: Apache-2.0
#include "serve/schedule.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sinter::serve {
namespace {

constexpr double kLargestExcess = 0.25;  // of a worker's share that is not worth a cut
constexpr double kPause = 0.05;  // of a map's seconds: what is done while others are at their parts
constexpr double kSumsShare = 0.65;  // of a map's seconds, when it switches giants

/// The first and the second phase of one part.
double sums_seconds(const Segment& segment, i64 parts) {
  const double share = segment.map.switched.empty() ? 1 : kSumsShare;
  return segment.map_seconds * share / double(parts);
}
double giants_seconds(const Segment& segment, i64 parts, i64 part) {
  const i64 all = std::ssize(segment.map.switched);
  return segment.map_seconds * (1 - kSumsShare) *
         double(MapCut(segment.map, parts).switch_count(part)) / double(all);
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

/// A second phase that others may wait for comes before a first one.
std::optional<Schedule::Step> Schedule::next_step(const SegmentState& s, i64 w) {
  const auto all_from = [&](PartState state) {
    return std::ranges::all_of(s.parts, [&](const Part& part) { return part.state >= state; });
  };
  const auto find = [&](PartState state, i64 worker) -> i64 {
    const auto it = std::ranges::find_if(
        s.parts, [&](const Part& part) { return part.state == state && part.worker == worker; });
    return it == s.parts.end() ? -1 : it - s.parts.begin();
  };
  if (s.state != State::split) return std::nullopt;
  if (all_from(PartState::done) && s.parts[0].worker == w) return Step{TaskKind::finish, -1};
  if (const i64 part = find(PartState::summed, w); part >= 0 && all_from(PartState::summed))
    return Step{TaskKind::giants, part};
  if (const i64 part = find(PartState::free, -1); part >= 0) return Step{TaskKind::sums, part};
  return std::nullopt;
}

/// Has w done its part of a phase, while the rest of that phase is being done by others?
bool Schedule::is_waiting(const SegmentState& s, i64 w) {
  if (s.state != State::split || next_step(s, w)) return false;
  return (s.parts[0].worker == w && s.parts[0].state == PartState::done) ||
         std::ranges::any_of(s.parts, [&](const Part& part) {
           return part.worker == w && part.state == PartState::summed;
         });
}

Schedule::Choice Schedule::best(i64 w) const {
  Choice found, awaited;
  double path = -1, awaited_path = -1;
  const auto visit = [&](const auto& body) {
    for (const auto& [number, request] : requests_)
      for (size_t k = 0; k < request.segments.size(); ++k)
        body(Choice{number, i32(k)}, request.segments[k], segments_.all[k]);
  };
  visit([&](const Choice& at, const SegmentState& s, const Segment& segment) {
    if (segment.to_end > awaited_path && is_waiting(s, w))
      awaited = at, awaited_path = segment.to_end;
  });
  const double pause =
      awaited.segment < 0 ? 0 : kPause * segments_.all[size_t(awaited.segment)].map_seconds;
  visit([&](const Choice& at, const SegmentState& s, const Segment& segment) {
    const bool is_ready = s.state == State::ready;
    if (segment.to_end <= path || (!is_ready && !next_step(s, w))) return;
    if (is_ready && segment.to_end <= awaited_path && segment.seconds > pause) return;
    found = at, path = segment.to_end;
  });
  return found;
}

double Schedule::open_seconds() const {
  double sum = 0;
  for (const auto& [number, request] : requests_)
    for (size_t k = 0; k < request.segments.size(); ++k) {
      const State state = request.segments[k].state;
      if (state != State::blocked && state != State::done) sum += segments_.all[k].seconds;
    }
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

/// As many parts as the map's share of what is ready or running is worth in workers: those that are
/// busy now will come for the others.
void Schedule::split(i64 number, i32 k, i64 sharers) {
  const Segment& segment = segments_.all[size_t(k)];
  SegmentState& s = requests_.at(number).segments[size_t(k)];
  if (!segment.is_map || segment.map_seconds < split_s_) return;
  const double worth = segment.map_seconds / std::max(open_seconds(), 1e-9) * double(sharers);
  const i64 parts =
      std::min<i64>({i64(worth + 1 - kLargestExcess), sharers, MapCut::most_parts(segment.map)});
  if (parts < 2) return;
  s.parts.assign(size_t(parts), Part{});
  s.state = State::split;
}

Task Schedule::take_step(const Choice& at, const Step& step, i64 w) {
  const Segment& segment = segments_.all[size_t(at.segment)];
  SegmentState& s = requests_.at(at.request).segments[size_t(at.segment)];
  const i64 count = std::ssize(s.parts);
  double seconds = segment.seconds - segment.map_seconds;
  if (step.kind == TaskKind::finish) {
    s.state = State::running;
  } else {
    const bool is_first = step.kind == TaskKind::sums;
    Part& part = s.parts[size_t(step.part)];
    part.state = is_first ? PartState::summing : PartState::switching;
    part.worker = w;
    seconds = is_first ? sums_seconds(segment, count) : giants_seconds(segment, count, step.part);
  }
  Task task = task_for(step.kind, at, seconds);
  task.part = i32(std::max(i64(0), step.part));
  task.parts = i32(count);
  return task;
}

std::optional<Task> Schedule::take(i64 w, i64 sharers) {
  for (auto& [number, request] : requests_)
    if (request.is_whole && !request.is_running) {
      request.is_running = true;
      return task_for(TaskKind::whole, {number, -1}, segments_.seconds);
    }
  const Choice at = best(w);
  if (at.segment < 0) return std::nullopt;
  SegmentState& s = requests_.at(at.request).segments[size_t(at.segment)];
  if (s.state == State::ready) split(at.request, at.segment, sharers);
  if (const std::optional<Step> step = next_step(s, w)) return take_step(at, *step, w);
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
  if (task.kind == TaskKind::sums || task.kind == TaskKind::giants) {
    const MapCut cut(segments_.all[size_t(task.segment)].map, task.parts);
    Part& part = request.segments[size_t(task.segment)].parts[size_t(task.part)];
    const bool is_last = task.kind == TaskKind::giants || cut.switch_count(task.part) == 0;
    part.state = is_last ? PartState::done : PartState::summed;
    part.seconds += task.seconds;
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
  if (task.kind == TaskKind::sums) s.parts[size_t(task.part)] = Part{};
  if (task.kind == TaskKind::giants) s.parts[size_t(task.part)].state = PartState::summed;
  if (task.kind == TaskKind::segment) s.state = State::ready;
  if (task.kind == TaskKind::finish) s.state = State::split;
}

void Schedule::lose(i64 w) {
  for (auto& [number, request] : requests_)
    for (SegmentState& s : request.segments) {
      if (s.state != State::split) continue;
      for (Part& part : s.parts) {
        const bool is_sent = part.state == PartState::done && &part != &s.parts[0];
        if (part.worker != w || is_sent) continue;
        done_ -= part.seconds;
        part = Part{};
      }
    }
}

i64 Schedule::reader_of(const Task& task, const PartId& part) const {
  const MapCut cut(segments_.all[size_t(task.segment)].map, task.parts);
  const i64 reader = part.kind == PartKind::row ? cut.owner(part.giant) : 0;
  return requests_.at(task.request).segments[size_t(task.segment)].parts[size_t(reader)].worker;
}

}  // namespace sinter::serve

// SPDX-License-Identifier: Apache-2.0
// Who computes what next: list scheduling of segments by their predicted path to the output. A
// linear map is cut by its giants when fewer maps are ready than workers wait; images that come in
// numbers go to one worker each, whole. What is computed never depends on these choices, only when
// and where.
//
// Source: list scheduling by the longest path, Graham 1969 and Hu 1961.
#pragma once
#include <map>
#include <optional>
#include <vector>

#include "serve/messages.h"
#include "serve/segments.h"

namespace sinter::serve {

/// thread: one at a time
class Schedule {
 public:
  Schedule(const encrypted::EncryptedProgram& program, const Segments& segments)
      : program_(program), segments_(segments) {}

  /// A request to compute; is_whole: by one worker, else in segments.
  void add(i64 request, bool is_whole);
  /// The next task for a worker. idle: workers that wait for one now, the asking one included.
  std::optional<Task> take(i64 idle);
  /// Marks a task as computed; out: the values of its request that nobody will read any more.
  std::vector<i32> done(const Task& task);
  /// The worker of a task is lost: somebody else computes it.
  void give_back(const Task& task);

  bool is_finished(i64 request) const { return !requests_.contains(request); }
  bool is_finished() const { return requests_.empty(); }
  double seconds_done() const { return done_; }    ///< predicted, of the tasks computed
  double seconds_total() const { return total_; }  ///< of all requests added

 private:
  enum class State { blocked, ready, split, running, done };
  enum class PartState { free, running, done };
  struct SegmentState {
    State state = State::blocked;
    i64 waits_for = 0;
    std::vector<i64> borders;  ///< of giants, when split
    std::vector<PartState> parts;
  };
  struct Request {
    bool is_whole = false, is_running = false;
    std::vector<SegmentState> segments;
    std::vector<i64> readers;  ///< of each value: segments that still will read it
  };
  struct Choice {
    i64 request = -1;
    i32 segment = -1;
  };

  bool has_work(const SegmentState& s) const;
  Choice best() const;
  double ready_seconds() const;
  void split(i64 request, i32 segment, i64 idle);
  Task task_for(TaskKind kind, const Choice& at, double seconds);
  Task take_part(const Choice& at, SegmentState& s);
  void finish_segment(Request& request, i32 segment, std::vector<i32>& released);

  const encrypted::EncryptedProgram& program_;
  const Segments& segments_;
  std::map<i64, Request> requests_;  ///< not finished
  double done_ = 0, total_ = 0;
  u64 next_id_ = 1;
};

}  // namespace sinter::serve

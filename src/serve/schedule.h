// SPDX-License-Identifier: Apache-2.0
// Who computes what next: list scheduling of segments by their predicted path to the output. A
// linear map is cut (map_cut.h) when it is more than a worker's share of what is open; images that
// come in numbers go to one worker each, whole. What is computed never depends on these choices,
// only when and where.
//
// A part of a map belongs to the worker that took its first phase, which keeps what its second one
// needs of it; the worker of part 0 finishes. Between the phases it waits for the others and begins
// nothing long. When a worker is lost, its parts begin again with the
// first phase, while what it sent to others stays good.
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
  /// split_s  maps that are predicted to take less are not cut
  Schedule(const Segments& segments, double split_s) : segments_(segments), split_s_(split_s) {}

  /// A request to compute; is_whole: by one worker, else in segments.
  void add(i64 request, bool is_whole);
  /// The next task for worker w.
  /// sharers  workers that may share a map with it, itself included: all but those at whole images
  std::optional<Task> take(i64 w, i64 sharers);
  /// Marks a task as computed; out: the values of its request that nobody will read any more.
  std::vector<i32> done(const Task& task);
  /// A task is not computed after all: somebody else does it.
  void give_back(const Task& task);
  /// Worker w is lost, its task given back: parts of maps that are not finished begin again.
  void lose(i64 w);
  /// The worker that will read a part which `task` gives, or -1 when that is not known.
  i64 reader_of(const Task& task, const PartId& part) const;

  bool is_finished(i64 request) const { return !requests_.contains(request); }
  bool is_finished() const { return requests_.empty(); }
  double seconds_done() const { return done_; }    ///< predicted, of the tasks computed
  double seconds_total() const { return total_; }  ///< of all requests added

 private:
  enum class State { blocked, ready, split, running, done };
  /// In the order of a part's life.
  enum class PartState { free, summing, summed, switching, done };
  struct Part {
    PartState state = PartState::free;
    i64 worker = -1;
    double seconds = 0;  ///< of what is done
  };
  struct SegmentState {
    State state = State::blocked;
    i64 waits_for = 0;
    std::vector<Part> parts;  ///< when split
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

  /// A task of a map in parts; part -1: to finish it.
  struct Step {
    TaskKind kind;
    i64 part;
  };
  static std::optional<Step> next_step(const SegmentState& s, i64 w);
  static bool is_waiting(const SegmentState& s, i64 w);
  Choice best(i64 w) const;
  double open_seconds() const;  ///< predicted, of segments that are ready or begun
  void split(i64 request, i32 segment, i64 sharers);
  Task task_for(TaskKind kind, const Choice& at, double seconds);
  Task take_step(const Choice& at, const Step& step, i64 w);
  void finish_segment(Request& request, i32 segment, std::vector<i32>& released);

  const Segments& segments_;
  const double split_s_;
  std::map<i64, Request> requests_;  ///< not finished
  double done_ = 0, total_ = 0;
  u64 next_id_ = 1;
};

}  // namespace sinter::serve

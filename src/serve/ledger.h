// SPDX-License-Identifier: Apache-2.0
// The coordinator's books: every value that somebody will still read, as the frame it came in, and
// which worker holds which of them, so that nothing is sent twice and nothing is kept for nobody.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "serve/messages.h"
#include "serve/segments.h"

namespace sinter::serve {

/// A value (part kNoPart) or a part of a linear map (PartId::number), of one request.
struct ValueKey {
  i64 request;
  u32 value, part = kNoPart;
  auto operator<=>(const ValueKey&) const = default;
};

/// What a task reads and what it must give. What a part of a map leaves for itself stays with its
/// worker and is in neither list.
std::vector<ValueKey> operands_of(const encrypted::EncryptedProgram& program,
                                  const Segments& segments, const Task& task);
std::vector<ValueKey> results_of(const encrypted::EncryptedProgram& program,
                                 const Segments& segments, const Task& task);
/// The key of a result of this task.
/// throws  Error(bad_input) naming `peer`: the task does not give it, or not with these limbs
ValueKey key_of_result(const encrypted::EncryptedProgram& program, const Segments& segments,
                       const Task& task, i64 request, const ValueHeader& found,
                       const std::string& peer);

/// thread: one at a time
class Ledger {
 public:
  explicit Ledger(i64 workers) : held_(size_t(workers)), released_(size_t(workers)) {}

  /// holder: the worker that computed it, or -1
  void put(const ValueKey& key, const Frame& frame, i64 holder);
  bool contains(const ValueKey& key) const { return values_.contains(key); }
  /// The frame when worker w does not hold the value yet; from now on it counts as held.
  std::optional<Frame> lend(i64 w, const ValueKey& key);
  /// What worker w holds for nobody, by request; told once.
  std::map<i64, std::vector<i32>> take_released(i64 w);
  /// Worker w is lost with everything it held.
  void lose(i64 w);

  void forget(i64 request, i32 value);
  /// The parts of a map that is finished.
  void forget_parts(i64 request, i32 value);
  /// The value, with everything else of its request forgotten.
  Frame take_last(i64 request, u32 value);

 private:
  std::map<ValueKey, Frame> values_;
  std::vector<std::set<ValueKey>> held_;                   ///< by worker
  std::vector<std::map<i64, std::vector<i32>>> released_;  ///< by worker, then request
};

}  // namespace sinter::serve

// SPDX-License-Identifier: Apache-2.0
#include "serve/ledger.h"

#include <utility>

namespace sinter::serve {

std::vector<ValueKey> operands_of(const encrypted::EncryptedProgram& program,
                                  const Segments& segments, const Task& task) {
  std::vector<ValueKey> all;
  if (task.kind == TaskKind::whole) {
    for (i64 k = 0; k < program.input_count(); ++k) all.push_back({task.request, u32(k)});
    return all;
  }
  const Segment& segment = segments.all[size_t(task.segment)];
  if (task.kind != TaskKind::finish) {
    for (i32 v : segment.operands) all.push_back({task.request, u32(v)});
    return all;
  }
  for (i32 p = 0; p < task.parts; ++p)
    all.push_back({task.request, u32(segment.instructions.front()), u32(p)});
  return all;
}

std::vector<ValueKey> results_of(const encrypted::EncryptedProgram& program,
                                 const Segments& segments, const Task& task) {
  if (task.kind == TaskKind::whole) return {{task.request, u32(program.instructions.size() - 1)}};
  const Segment& segment = segments.all[size_t(task.segment)];
  if (task.kind == TaskKind::part)
    return {{task.request, u32(segment.instructions.front()), u32(task.part)}};
  std::vector<ValueKey> all;
  for (i32 v : segment.exports) all.push_back({task.request, u32(v)});
  return all;
}

void Ledger::put(const ValueKey& key, const Frame& frame, i64 holder) {
  values_.insert_or_assign(key, frame);
  if (holder >= 0) held_[size_t(holder)].insert(key);
}

std::optional<Frame> Ledger::lend(i64 w, const ValueKey& key) {
  if (!held_[size_t(w)].insert(key).second) return std::nullopt;
  return values_.at(key);
}

std::map<i64, std::vector<i32>> Ledger::take_released(i64 w) {
  return std::exchange(released_[size_t(w)], {});
}

void Ledger::lose(i64 w) {
  held_[size_t(w)].clear();
  released_[size_t(w)].clear();
}

void Ledger::forget(i64 request, i32 value) {
  const ValueKey key{request, u32(value)};
  values_.erase(key);
  for (size_t w = 0; w < held_.size(); ++w)
    if (held_[w].erase(key) > 0) released_[w][request].push_back(value);
}

void Ledger::forget_parts(i64 request, i32 value) {
  const ValueKey first{request, u32(value), 0}, whole{request, u32(value), kNoPart};
  values_.erase(values_.lower_bound(first), values_.lower_bound(whole));
  for (size_t w = 0; w < held_.size(); ++w) {
    const auto begin = held_[w].lower_bound(first), end = held_[w].lower_bound(whole);
    if (begin == end) continue;
    held_[w].erase(begin, end);
    // A release is of value and parts: where the value itself is still needed, later.
    if (!held_[w].contains(whole)) released_[w][request].push_back(value);
  }
}

Frame Ledger::take_last(i64 request, u32 value) {
  Frame last = values_.at({request, value});
  std::set<i32> all;
  for (auto it = values_.lower_bound({request, 0, 0});
       it != values_.end() && it->first.request == request; ++it)
    all.insert(i32(it->first.value));
  for (i32 v : all) forget(request, v);
  return last;
}

}  // namespace sinter::serve

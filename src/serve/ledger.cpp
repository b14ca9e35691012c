// SPDX-License-Identifier: Apache-2.0
#include "serve/ledger.h"

#include <algorithm>
#include <utility>

namespace sinter::serve {

namespace {

/// What the parts of a map give part `to` in the first phase, or part 0 at the end.
std::vector<ValueKey> parts_for(const Task& task, const Segment& segment) {
  const MapCut cut(segment.map, task.parts);
  const bool is_finish = task.kind == TaskKind::finish;
  std::vector<ValueKey> all;
  for (i64 from = 0; from < cut.parts(); ++from) {
    if (from == (is_finish ? 0 : task.part)) continue;
    for (const PartId& id : is_finish ? cut.terms(from) : cut.sums(from, task.part))
      if (is_finish || id.kind == PartKind::row)
        all.push_back({task.request, u32(segment.instructions.front()), id.number()});
  }
  return all;
}

std::vector<ValueKey> parts_from(const Task& task, const Segment& segment) {
  const MapCut cut(segment.map, task.parts);
  std::vector<PartId> ids;
  if (task.kind == TaskKind::giants && task.part != 0)
    ids.push_back({PartKind::giants, 0, cut.giants(task.part).first});
  for (i64 to = 0; task.kind == TaskKind::sums && to < cut.parts(); ++to)
    if (to != task.part)
      for (const PartId& id : cut.sums(task.part, to)) ids.push_back(id);
  std::vector<ValueKey> all;
  for (const PartId& id : ids)
    all.push_back({task.request, u32(segment.instructions.front()), id.number()});
  return all;
}

}  // namespace

std::vector<ValueKey> operands_of(const encrypted::EncryptedProgram& program,
                                  const Segments& segments, const Task& task) {
  std::vector<ValueKey> all;
  if (task.kind == TaskKind::whole) {
    for (i64 k = 0; k < program.input_count(); ++k) all.push_back({task.request, u32(k)});
    return all;
  }
  const Segment& segment = segments.all[size_t(task.segment)];
  if (task.kind == TaskKind::giants || task.kind == TaskKind::finish)
    return parts_for(task, segment);
  for (i32 v : segment.operands) all.push_back({task.request, u32(v)});
  return all;
}

std::vector<ValueKey> results_of(const encrypted::EncryptedProgram& program,
                                 const Segments& segments, const Task& task) {
  if (task.kind == TaskKind::whole) return {{task.request, u32(program.instructions.size() - 1)}};
  const Segment& segment = segments.all[size_t(task.segment)];
  if (task.kind == TaskKind::sums || task.kind == TaskKind::giants)
    return parts_from(task, segment);
  std::vector<ValueKey> all;
  for (i32 v : segment.exports) all.push_back({task.request, u32(v)});
  return all;
}

ValueKey key_of_result(const encrypted::EncryptedProgram& program, const Segments& segments,
                       const Task& task, i64 request, const ValueHeader& found,
                       const std::string& peer) {
  const ValueKey key{request, found.value, found.part};
  require(std::ranges::count(results_of(program, segments, task), key) == 1, ErrorKind::bad_input,
          peer, ": sent value ", found.value, " of request ", request,
          ", which it was not asked for");
  if (found.part == kNoPart) return key;
  const MapCut cut(segments.all[size_t(task.segment)].map, task.parts);
  const int limbs = cut.limbs_of(PartId::of(found.part).value());
  require(found.limbs == limbs, ErrorKind::bad_input, peer, ": value ", found.value, ": expected ",
          limbs, " limbs from ", found.first_limb, " on, found ", found.limbs);
  return key;
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

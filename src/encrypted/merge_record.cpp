// SPDX-License-Identifier: Apache-2.0
#include "encrypted/merge_record.h"

#include <algorithm>

namespace sinter::encrypted {

int levels_saved(const std::vector<MergeRecord>& merges) {
  int sum = 0;
  for (const MergeRecord& m : merges) sum += m.levels_saved;
  return sum;
}

std::vector<MergeRecord> by_rule(const std::vector<MergeRecord>& merges) {
  std::vector<MergeRecord> rules;
  for (const MergeRecord& m : merges) {
    auto rule = std::find_if(rules.begin(), rules.end(),
                             [&](const MergeRecord& r) { return r.rule == m.rule; });
    if (rule == rules.end()) rule = rules.insert(rules.end(), {m.rule, {}, 0, 0});
    rule->count += m.count;
    rule->levels_saved += m.levels_saved;
  }
  return rules;
}

}  // namespace sinter::encrypted

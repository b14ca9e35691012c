// SPDX-License-Identifier: Apache-2.0
#include "encrypted/bootstrap_plan.h"

#include <algorithm>
#include <map>
#include <memory>

namespace sinter::encrypted {
namespace {

/// Decisions of a state, shared by the states that follow from it.
struct Step {
  i32 stage = -1;
  int level = 0, restart = -1;
  std::shared_ptr<const Step> before;
};

using Needs = std::vector<int>;  ///< level of each value on the frontier, in its order

struct State {
  double cost = 0;
  std::shared_ptr<const Step> steps;
};

/// Stages from the output to the inputs, each behind all its readers, depth first.
std::vector<i32> backward_order(const StageGraph& graph) {
  std::vector<i64> unread(graph.stages.size(), 0);
  for (const Stage& s : graph.stages)
    for (i32 v : operands(s)) ++unread[size_t(v)];
  std::vector<i32> ready, order;
  for (size_t k = 0; k < graph.stages.size(); ++k)
    if (unread[k] == 0) ready.push_back(i32(k));
  while (!ready.empty()) {
    const i32 k = ready.back();
    ready.pop_back();
    order.push_back(k);
    for (i32 v : operands(graph.stages[size_t(k)]))
      if (--unread[size_t(v)] == 0) ready.push_back(v);
  }
  return order;
}

bool beats(const Needs& a, double cost_a, const Needs& b, double cost_b) {
  if (cost_a > cost_b) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] > b[i]) return false;
  return true;
}

class Placer {
 public:
  Placer(const StageGraph& graph, const PlacementCosts& costs, const PlacementOptions& options)
      : g_(graph), costs_(costs), o_(options) {}

  Placement run() {
    Placement result;
    states_ = {{Needs(), State()}};
    for (i32 k : backward_order(g_)) {
      take(k);
      if (states_.empty()) {
        result.first_without_level = k;
        return result;
      }
      thin(result.is_optimal);
    }
    const State& best = states_.begin()->second;  // nothing is on the frontier: one state
    result.is_feasible = true;
    result.cost = best.cost;
    result.level.assign(g_.stages.size(), 0);
    result.restart.assign(g_.stages.size(), -1);
    for (const Step* s = best.steps.get(); s != nullptr; s = s->before.get()) {
      result.level[size_t(s->stage)] = s->level;
      result.restart[size_t(s->stage)] = s->restart;
    }
    return result;
  }

 private:
  using States = std::map<Needs, State>;

  bool may_bootstrap(i32 k) const {
    if (!o_.may_bootstrap || k == g_.output || g_.stages[size_t(k)].kind == StageKind::input)
      return false;
    return o_.allowed.empty() || o_.allowed[size_t(k)];
  }

  /// The states behind stage k: its value leaves the frontier, its operands are on it.
  void take(i32 k) {
    const auto at = std::find(frontier_.begin(), frontier_.end(), k);
    const i64 place = at == frontier_.end() ? -1 : at - frontier_.begin();
    if (place >= 0) frontier_.erase(at);
    std::vector<i64> wanted;  // places of the operands
    for (i32 v : operands(g_.stages[size_t(k)])) {
      const auto found = std::find(frontier_.begin(), frontier_.end(), v);
      wanted.push_back(found - frontier_.begin());
      if (found == frontier_.end()) frontier_.push_back(v);
    }
    States next;
    for (auto& [needs, state] : states_) {
      Needs rest = needs;
      int level = 0;
      if (place >= 0) {
        level = needs[size_t(place)];
        rest.erase(rest.begin() + place);
      }
      rest.resize(frontier_.size(), 0);
      follow(next, rest, wanted, state, {k, level, -1, state.steps});
      if (level > 0 && may_bootstrap(k) && level <= o_.max_level)
        follow(next, rest, wanted, state, {k, 0, level, state.steps});
    }
    states_ = std::move(next);
  }

  void follow(States& next, Needs needs, const std::vector<i64>& wanted, const State& from,
              Step step) const {
    const Stage& stage = g_.stages[size_t(step.stage)];
    const bool is_input = stage.kind == StageKind::input;
    const int in = is_input || sums_slots(stage) ? step.level : step.level + 1;
    if (in > o_.max_level) return;
    for (i64 place : wanted) needs[size_t(place)] = std::max(needs[size_t(place)], in);
    State state;
    state.cost = from.cost + costs_.stage(step.stage, is_input ? step.level : step.level + 1);
    if (step.restart >= 0) state.cost += costs_.bootstrap(step.stage, step.restart);
    const auto [it, fresh] = next.try_emplace(std::move(needs));
    if (!fresh && it->second.cost <= state.cost) return;
    state.steps = std::make_shared<const Step>(std::move(step));
    it->second = std::move(state);
  }

  /// Without the states that another one beats, at most max_states.
  void thin(bool& is_optimal) {
    using Entry = States::value_type;
    std::vector<Entry*> by_cost, kept;
    for (Entry& e : states_) by_cost.push_back(&e);
    std::stable_sort(by_cost.begin(), by_cost.end(), [](const Entry* a, const Entry* b) {
      return a->second.cost < b->second.cost;
    });
    for (Entry* e : by_cost)
      if (std::none_of(kept.begin(), kept.end(), [e](const Entry* k) {
            return beats(k->first, k->second.cost, e->first, e->second.cost);
          }))
        kept.push_back(e);
    if (std::ssize(kept) > o_.max_states) {
      // The one that asks for least always leads somewhere.
      const auto sum = [](const Entry* e) {
        i64 total = 0;
        for (int level : e->first) total += level;
        return total;
      };
      std::iter_swap(kept.begin() + o_.max_states - 1,
                     std::min_element(kept.begin() + o_.max_states - 1, kept.end(),
                                      [&](Entry* a, Entry* b) { return sum(a) < sum(b); }));
      kept.resize(size_t(o_.max_states));
      is_optimal = false;
    }
    States thinned;
    for (Entry* e : kept) thinned.emplace(e->first, std::move(e->second));
    states_ = std::move(thinned);
  }

  const StageGraph& g_;
  const PlacementCosts& costs_;
  const PlacementOptions& o_;
  std::vector<i32> frontier_;
  States states_;
};

std::string text(const StageGraph& graph, i32 k) {
  const Stage& s = graph.stages[size_t(k)];
  return s.op + " \"" + s.label() + "\"";
}

void explain(const StageGraph& graph, const PlacementCosts& costs, PlacementOptions options,
             Placement& failed) {
  const int found = options.max_level;
  Placement wider;
  while (!wider.is_feasible && options.max_level - found <= std::ssize(graph.stages)) {
    ++options.max_level;
    wider = Placer(graph, costs, options).run();
  }
  failed.levels_short = options.max_level - found;
  failed.reason = "the chain leaves " + std::to_string(found) + " levels, " +
                  std::to_string(failed.levels_short) + " short, first at " +
                  text(graph, failed.first_without_level) +
                  ". What would help: a chain that leaves " + std::to_string(options.max_level) +
                  (options.may_bootstrap ? "" : "; bootstraps (--bootstrap auto)");
}

}  // namespace

i64 Placement::bootstraps() const {
  return std::count_if(restart.begin(), restart.end(), [](int r) { return r >= 0; });
}

int Placement::highest() const {
  int most = 0;
  for (const std::vector<int>* levels : {&level, &restart})
    for (int l : *levels) most = std::max(most, l);
  return most;
}

Placement place_bootstraps(const StageGraph& graph, const PlacementCosts& costs,
                           const PlacementOptions& options) {
  require(options.max_level >= 0, ErrorKind::bad_argument,
          "place_bootstraps: expected a max_level of at least 0, found ", options.max_level);
  Placement placement = Placer(graph, costs, options).run();
  if (!placement.is_feasible) explain(graph, costs, options, placement);
  return placement;
}

}  // namespace sinter::encrypted

// SPDX-License-Identifier: Apache-2.0
#include "encrypted/choose_babies.h"

#include <algorithm>
#include <map>
#include <optional>

namespace sinter::encrypted {
namespace {

constexpr double kLeastGain = 1e-9;  ///< seconds; below it a change is not an improvement
constexpr int kRounds = 16;

/// One way to evaluate the maps of some diagonals.
struct Way {
  i64 baby_count = 1;
  ckks::GiantForm form = ckks::GiantForm::separate;
  MapShape shape;
  std::vector<i64> rotations;
};

/// A linear instruction.
struct Use {
  i32 map = -1;
  int level = 0;
  size_t family = 0;            ///< maps of equal diagonals
  std::vector<double> seconds;  ///< of each way of its family
};

class Chooser {
 public:
  Chooser(const EncryptedProgram& program, const UnitCosts& units, const KeyChoice& choice)
      : p_(program),
        ring_{program.params.log_n(), std::ssize(program.params.p())},
        choice_(choice),
        fixed_(size_t(program.slots()), -1) {
    for (int level = 0; level <= p_.params.max_level(); ++level)
      key_cost_.push_back(choice.seconds_per_gigabyte * 1e-9 * double(ring_.key_bytes(level)));
    std::map<std::vector<i64>, size_t> family_of;
    for (const Instruction& i : p_.instructions) {
      if (i.op == Opcode::fold) raise(fixed_, i.steps, i.level);
      if (i.op == Opcode::bootstrap) raise(fixed_, p_.bootstraps[size_t(i.table)]);
      if (i.op != Opcode::linear) continue;
      const LinearMap& map = p_.maps[size_t(i.table)];
      const auto [it, fresh] = family_of.emplace(map.indices, ways_.size());
      if (fresh) ways_.push_back(ways_of(map));
      Use& use = uses_.emplace_back(Use{i.table, i.level, it->second, {}});
      for (const Way& way : ways_[use.family]) {
        MapShape shape = way.shape;
        shape.period = map.period();
        use.seconds.push_back(cost_at(ring_, Opcode::linear, i.level, shape, 0, units).seconds);
      }
      chosen_.push_back(way_like(use.family, map.baby_count, map.form));
    }
    best_ = cost(chosen_);
  }

  void run() {
    for (int round = 0; round < kRounds && improve(); ++round) {
    }
  }

  void store(EncryptedProgram& program) const {
    for (size_t u = 0; u < uses_.size(); ++u) {
      LinearMap& map = program.maps[size_t(uses_[u].map)];
      map.baby_count = way(u).baby_count;
      map.form = way(u).form;
    }
  }

 private:
  const Way& way(size_t use) const { return ways_[uses_[use].family][chosen_[use]]; }

  static void raise(std::vector<int>& levels, i64 steps, int level) {
    levels[size_t(steps)] = std::max(levels[size_t(steps)], level);
  }

  void raise(std::vector<int>& levels, const ckks::BootstrapOptions& bootstrap) const {
    for (const auto& [steps, level] :
         ckks::outline_bootstrap(p_.params, bootstrap).manifest.rotations)
      raise(levels, steps, level);
  }

  /// The plans of a map. The number that it has now comes first: on a tie it stays.
  std::vector<Way> ways_of(const LinearMap& map) const {
    std::vector<i64> counts = ckks::baby_count_candidates(map.indices, p_.slots());
    counts.insert(counts.begin(), map.baby_count);
    std::vector<Way> ways;
    for (const auto form : {ckks::GiantForm::separate, ckks::GiantForm::horner})
      for (i64 n1 : counts) {
        if (form == ckks::GiantForm::horner && !choice_.may_use_horner && form != map.form)
          continue;
        const ckks::LinearPlan plan = ckks::plan_linear(map.indices, p_.slots(), n1, form);
        ways.push_back({n1, form, shape_of(map, plan), plan.rotations});
      }
    return ways;
  }

  /// The way of this number and form, else none of them.
  std::optional<size_t> find(size_t family, i64 baby_count, ckks::GiantForm form) const {
    const std::vector<Way>& ways = ways_[family];
    for (size_t w = 0; w < ways.size(); ++w)
      if (ways[w].baby_count == baby_count && ways[w].form == form) return w;
    return std::nullopt;
  }
  size_t way_like(size_t family, i64 baby_count, ckks::GiantForm form) const {
    return find(family, baby_count, form).value_or(0);
  }

  double cost(const std::vector<size_t>& chosen) {
    levels_ = fixed_;
    double sum = 0;
    for (size_t u = 0; u < uses_.size(); ++u) {
      sum += uses_[u].seconds[chosen[u]];
      for (i64 steps : ways_[uses_[u].family][chosen[u]].rotations)
        raise(levels_, steps, uses_[u].level);
    }
    for (int level : levels_)
      if (level >= 0) sum += key_cost_[size_t(level)];
    return sum;
  }

  void take_if_better(const std::vector<size_t>& chosen, bool& better) {
    const double c = cost(chosen);
    if (c >= best_ - kLeastGain) return;
    best_ = c;
    next_ = chosen;
    better = true;
  }

  /// The best change of these uses, which have one family, to one way.
  bool improve_family(std::span<const size_t> uses) {
    bool better = false;
    std::vector<size_t> trial = chosen_;
    for (size_t w = 0; w < ways_[uses_[uses[0]].family].size(); ++w) {
      for (size_t u : uses) trial[u] = w;
      take_if_better(trial, better);
    }
    if (better) chosen_ = next_;
    return better;
  }

  /// The best change of all maps that know it to one number and form.
  bool improve_all() {
    bool better = false;
    std::map<std::pair<i64, ckks::GiantForm>, std::vector<size_t>> trials;
    for (const std::vector<Way>& ways : ways_)
      for (const Way& w : ways) trials.emplace(std::pair(w.baby_count, w.form), chosen_);
    for (auto& [key, trial] : trials) {
      for (size_t u = 0; u < uses_.size(); ++u)
        trial[u] = find(uses_[u].family, key.first, key.second).value_or(chosen_[u]);
      take_if_better(trial, better);
    }
    if (better) chosen_ = next_;
    return better;
  }

  bool improve() {
    bool better = improve_all();
    for (size_t family = 0; family < ways_.size(); ++family) {
      std::vector<size_t> members;
      for (size_t u = 0; u < uses_.size(); ++u)
        if (uses_[u].family == family) members.push_back(u);
      if (improve_family(members)) better = true;
    }
    for (size_t u = 0; u < uses_.size(); ++u)
      if (improve_family(std::span(&u, 1))) better = true;
    return better;
  }

  const EncryptedProgram& p_;
  const KeySwitching ring_;
  const KeyChoice& choice_;
  std::vector<int> fixed_;              // of each rotation, the level at which folds need it, or -1
  std::vector<int> levels_;             // the same with the maps
  std::vector<double> key_cost_;        // of a key, by level
  std::vector<std::vector<Way>> ways_;  // of each family
  std::vector<Use> uses_;
  std::vector<size_t> chosen_, next_;
  double best_ = 0;
};

}  // namespace

void choose_babies(EncryptedProgram& program, const UnitCosts& units, const KeyChoice& choice) {
  require(choice.seconds_per_gigabyte >= 0, ErrorKind::bad_argument,
          "compile: expected seconds per gigabyte of keys of at least 0, found ",
          choice.seconds_per_gigabyte);
  Chooser chooser(program, units, choice);
  chooser.run();
  chooser.store(program);
}

}  // namespace sinter::encrypted

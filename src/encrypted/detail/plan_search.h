// SPDX-License-Identifier: Apache-2.0
// The candidates of one network: what candidates.h enumerates, one packing at a time.
#pragma once
#include <string>
#include <vector>

#include "encrypted/candidates.h"
#include "encrypted/memory.h"
#include "encrypted/plan_bootstraps.h"

namespace sinter::encrypted::detail {

/// thread: owned by one.
class PlanSearch {
 public:
  PlanSearch(const CompileOptions& options, std::vector<Candidate>& out)
      : options_(options), out_(out) {}

  /// True when no chain of this ring can hold the levels that a larger ring's packing needed; adds
  /// the candidate that says so.
  bool is_hopeless(i64 log_n);
  /// A ring that cannot be used at all.
  void refuse(i64 log_n, std::string reason);
  /// Adds the candidates of a packing.
  void look_at(const PackedNet& net);

 private:
  /// A packing and what is known of it.
  struct Net;
  /// Levels of the values of all stages; with bootstraps behind some of them, and what each costs.
  struct Levels {
    std::vector<int> level;
    std::vector<int> restart = {};  ///< behind the bootstrap of a stage's value; -1 or empty: none
    const BootstrapCandidate* bootstraps = nullptr;
    std::vector<int> held = {};  ///< exponents by which values are divided (insert_bootstraps.h)

    bool is_bootstrapped(size_t stage) const { return !restart.empty() && restart[stage] >= 0; }
    /// At which the value is kept for its readers.
    int kept(size_t stage) const { return is_bootstrapped(stage) ? restart[stage] : level[stage]; }
  };

  std::vector<int> special_counts(int depth) const;
  std::vector<ckks::SecretKind> secrets(i64 log_n) const;
  std::vector<int> scales() const;
  double limit(i64 log_n, ckks::SecretKind secret) const;
  double special_bits(const Candidate& c) const;
  double chain_bits(int scale) const;
  Candidate start(const Net& net, int special, ckks::SecretKind secret) const;
  void add_leveled(const Net& net, int special, ckks::SecretKind secret);
  void add_bootstrapped(const Net& net);
  void add_chain(const Net& net, const SchemeOptions& scheme, const std::string& preset);
  BootstrapCandidate candidate_at(const Net& net, const SchemeOptions& scheme,
                                  const std::string& preset, int left,
                                  PlacementGoal goal = PlacementGoal::least_seconds) const;
  void add_bootstrapped(const Net& net, const SchemeOptions& scheme, const BootstrapCandidate& b,
                        bool has_fewest = false);
  void refuse_one_bootstrap(const Net& net, const SchemeOptions& scheme, const std::string& preset,
                            int longest);
  double bootstrapped_error(const Net& net, const SchemeOptions& scheme,
                            const BootstrapCandidate& b) const;
  void cost_bootstraps(const Net& net, Candidate& c, const Levels& levels, ckks::KeyManifest& keys,
                       i64 live, PeakParts& peak) const;
  void check_memory(Candidate& c) const;
  std::string judge(const Net& net, Candidate& c, const Levels& levels) const;
  std::string judge_bits(const Candidate& c) const;
  std::string judge_headroom(const Net& net, const Candidate& c, const Levels& levels) const;
  void cost(const Net& net, Candidate& c, const Levels& levels) const;

  const CompileOptions& options_;
  std::vector<Candidate>& out_;
  int depth_ = -1;  ///< that a larger ring's packing needed
};

}  // namespace sinter::encrypted::detail

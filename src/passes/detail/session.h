// SPDX-License-Identifier: Apache-2.0
// The optimization of one graph as the rewrites see it: the edit log, who runs, what is allowed,
// and what became of every rewrite. Bodies have sessions of their own that share one Run.
#pragma once
#include <set>

#include "passes/check_rewrite.h"

namespace sinter::passes {

/// What all sessions of one optimize() share.
struct Run {
  bool check = true;  ///< compare before and after of each rewrite
  RewriteChecker checker;
  i64 limit = -1;                      ///< accept only so many rewrites; -1: all
  i64 growth_left = -1;                ///< bytes that constants may still grow; -1: no bound
  std::set<std::string> switched_off;  ///< rules
  std::vector<RewriteRecord> accepted;
  std::vector<RewriteFailure> failures;
  std::map<std::string, i64> assumptions;
  i64 too_large = 0;  ///< rewrites refused because constants would grow too much
  i64 edits = 0;  ///< rewrites accepted, and edits outside of any: tells whether anything changed
  double check_ms = 0;
};

/// A rewrite as its pass describes it.
struct Proposal {
  std::string rule;
  std::vector<NodeId> matched;
  std::vector<std::string> assumptions = {};
  i64 extra_nodes = 0;  ///< that it may add
};

class Session : public EditLog {
 public:
  /// `is_body`: unused inputs may go.
  Session(Graph& graph, Run& run, bool is_body);

  /// Edits from here to finish_pass() belong to `pass`. What a pass without any Rewrite did is one
  /// rewrite, judged at the end.
  void start_pass(std::string_view pass, Exactness exactness);
  void finish_pass();
  /// The edits stand as they are, unjudged.
  void accept_edits();
  /// After an exception: undoes what was not committed and reports it.
  void abandon_pass(const std::string& why);

  /// False inside another one.
  bool start_rewrite();
  /// True when the edit stands.
  bool finish_rewrite(const Proposal& proposal);
  void drop_rewrite();

 private:
  void take_back();
  bool is_wrong(const Proposal& proposal, RewriteRecord& record);
  bool stands(const Proposal& proposal);
  void accept(const Proposal& proposal, RewriteRecord record);
  void refuse(const Proposal& proposal, std::string reason, RewriteCheck check = {});
  void infer_edited();
  std::string broken_structure(const Proposal& proposal);
  std::string broken_interface() const;
  std::string broken_type() const;
  std::string described(NodeId id) const;
  RewriteRecord record_of(const Proposal& proposal) const;
  bool place(NodeId id);
  void keep_order();
  void sort();

  Run& run_;
  bool is_body_;
  std::string pass_;
  Exactness exactness_ = Exactness::e0;
  bool inside_ = false;      // a rewrite is open
  bool whole_pass_ = false;  // no rewrite was opened since start_pass
  std::set<std::pair<std::string, std::vector<NodeId>>> failed_;
  NodeMap<double> position_{-1};  // grows along every edge
  bool sorted_ = false;           // positions were given anew since begin()
};

}  // namespace sinter::passes
